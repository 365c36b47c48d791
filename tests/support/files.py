"""Trees that are read without a repository or a disk."""


class Files:
    """A tree in memory."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files
        self.paths = sorted(files)

    def has_path(self, path: str) -> bool:
        return path in self.files

    def text(self, path: str) -> str | None:
        return self.files.get(path)
