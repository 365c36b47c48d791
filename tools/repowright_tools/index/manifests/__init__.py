"""What build files, CI and READMEs say, one module for each kind of them."""
