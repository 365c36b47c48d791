"""The forge's token for one git call: by environment only, never in a URL, an argument or a file."""

from base64 import b64encode
from urllib.parse import urlsplit

from repowright_tools.git.guard import config_environment


def credential_environment(url: str, token: str | None) -> dict[str, str]:
    """Additions to git's environment that send `token` to the host of `url` and to no other.

    Includes the hardened settings, which share their variables. A URL that is not http(s) gets no token.
    """
    parts = urlsplit(url)
    if token is None or parts.scheme not in ("http", "https"):
        return config_environment()
    basic = b64encode(f"x-access-token:{token}".encode()).decode()
    return config_environment({f"http.{parts.scheme}://{parts.netloc}/.extraHeader": f"Authorization: Basic {basic}"})
