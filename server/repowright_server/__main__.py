"""`python -I -m repowright_server`: the same as the command `repowright`."""

import sys

from repowright_server.cli import main

sys.exit(main())
