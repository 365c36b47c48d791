"""Names of others: refs, and paths that a model wants to write. Pure checks; nothing is opened."""

import re
import stat
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from repowright_tools.errors import InvalidRef

if TYPE_CHECKING:
    from pathlib import Path  # the process that parses does without

_MAX_REF_LENGTH = 200
_MAX_PATH_LENGTH = 1024
_MAX_NAME_BYTES = 255
_REVISION_SYNTAX = re.compile(r"[\s~^:?*\[\]\\{}\x00-\x1f\x7f]|\.\.|//|@\{|\.lock(/|$)|/\.")
_PSEUDO_REFS = {"head", "fetch_head", "orig_head", "merge_head", "cherry_pick_head", "revert_head", "@"}


def is_object_id(name: str) -> bool:
    """Whether a name is a full object id, SHA-1 or SHA-256."""
    return re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", name) is not None


class PathRefused(Exception):
    """A path that must not be written; `reason` says why, in words for whoever proposed it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def check_ref(name: str) -> str:
    """Return `name` if it is a plain branch, tag or commit name.

    Stricter than `git check-ref-format`: no option, range, reflog or revision expression, and no pseudo ref.

    Raises:
        InvalidRef: it is not.
    """
    plain = (
        0 < len(name) <= _MAX_REF_LENGTH
        and name[0] not in "-./"
        and name[-1] not in "./"
        and name.casefold() not in _PSEUDO_REFS
        and not _REVISION_SYNTAX.search(name)
        and not _has_invisible(name)
    )
    if not plain:
        raise InvalidRef(f"not a plain branch, tag or commit name: {name[:80]!a}")
    return name


def inside(root: "Path", relative: str) -> "Path":
    """The absolute path of `relative` in `root`, if writing there stays in the tree and out of `.git`.

    Raises:
        PathRefused: it is absolute, climbs out, goes through a symbolic link, names `.git`, or is no portable name.
    """
    if not relative or len(relative) > _MAX_PATH_LENGTH or _has_invisible(relative) or "\\" in relative:
        raise PathRefused("not a plain path with / between its parts")
    if relative.startswith("/") or re.match(r"[A-Za-z]:", relative):
        raise PathRefused("the path must be relative to the repository")
    parts = relative.split("/")
    for part in parts:
        if part == "..":
            raise PathRefused("the path leaves the repository")
        if part in ("", ".") or len(part.encode(errors="replace")) > _MAX_NAME_BYTES:
            raise PathRefused("not a plain path with / between its parts")
        if _is_git_folder(part):
            raise PathRefused("nothing is written inside .git")
    path = root
    for part in parts[:-1]:
        path = path / part
        if path.is_symlink():
            raise PathRefused("the path goes through a symbolic link")
        if path.exists() and not path.is_dir():
            raise PathRefused("a parent of the path is a file")
    path = path / parts[-1]
    if path.is_symlink():
        raise PathRefused("the path is a symbolic link")
    if path.exists() and not stat.S_ISREG(path.lstat().st_mode):
        raise PathRefused("the path is not a file")
    return path


def is_tree_path(path: str) -> bool:
    """Whether a path that git lists is one git itself would check out: no `..` and nothing that means `.git`."""
    return all(map(_is_tree_step, path.split("/")))


@lru_cache(maxsize=4096)  # files share their folders
def _is_tree_step(part: str) -> bool:
    return part not in ("", ".", "..") and not _is_git_folder(part)


def _is_git_folder(part: str) -> bool:
    """Whether some file system takes the name for `.git`: by case, trailing dots and blanks, streams or short name."""
    name = part.split(":")[0].rstrip(". ").casefold()
    return name in (".git", "git~1")


def _has_invisible(text: str) -> bool:
    return any(unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp") for character in text)


_PRIVATE = re.compile(r"\.env(?:rc|\..+)?|\.netrc|\.pypirc|\.git-credentials")
_PUBLIC = re.compile(r"\.env\.(?:example|sample|template|dist|defaults?)")


def is_private(path: str) -> bool:
    """Whether a file of this name is where people keep their own keys; templates of such files are not."""
    name = path.rpartition("/")[2].casefold()
    return bool(_PRIVATE.fullmatch(name)) and not _PUBLIC.fullmatch(name)


_RUNS_WITH_SECRETS = "it runs in continuous integration, with the repository's secrets"
_RUNS_ON_OPEN = "an editor or assistant acts on it when the repository is opened"
_RUNS_ON_GIT = "git or a git hook acts on it on the machine of everyone who checks it out"
_PROTECTED: tuple[tuple[str, str], ...] = (
    (r"\.github/(workflows|actions)(/.*)?|(.*/)?action\.ya?ml", _RUNS_WITH_SECRETS),
    (r"\.gitlab-ci\.ya?ml|\.gitlab/ci/.*|\.travis\.ya?ml|\.drone\.ya?ml|\.?appveyor\.ya?ml", _RUNS_WITH_SECRETS),
    (r"azure-pipelines[^/]*\.ya?ml|bitbucket-pipelines\.ya?ml|jenkinsfile|\.cirrus\.(ya?ml|star)", _RUNS_WITH_SECRETS),
    (r"\.(circleci|buildkite|woodpecker|azure-pipelines|teamcity|forgejo|gitea)(/.*)?", _RUNS_WITH_SECRETS),
    (
        r"\.semaphore(/.*)?|\.builds?(/.*|\.ya?ml)|\.taskcluster\.ya?ml|(cloudbuild|buildspec)\.ya?ml",
        _RUNS_WITH_SECRETS,
    ),
    (r"(.*/)?\.(vscode|idea|devcontainer|cursor|claude|zed|gemini|codex|windsurf|kiro|roo)(/.*)?", _RUNS_ON_OPEN),
    (r"(.*/)?\.(continue|junie|amazonq|opencode|trae|clinerules|fleet|nova|idx)(/.*)?", _RUNS_ON_OPEN),
    (r"(.*/)?(\.?mcp\.json|\.devcontainer\.json|\.envrc|[^/]*\.code-workspace|opencode\.jsonc?)", _RUNS_ON_OPEN),
    (r"(.*/)?(\.gitpod\.yml|\.aider\.conf\.yml|\.dir-locals(-2)?\.el|\.n?vimrc|\.exrc|\.nvim\.lua)", _RUNS_ON_OPEN),
    (r"(.*/)?(\.?mise(\.[^/]*)?\.toml|[^/]*\.sublime-(project|workspace))", _RUNS_ON_OPEN),
    (r"(.*/)?\.(git(modules|attributes|config)|lfsconfig)|(.*/)?\.(githooks|husky)(/.*)?", _RUNS_ON_GIT),
    (r"\.pre-commit-config\.ya?ml|\.?lefthook[^/]*\.(ya?ml|toml|json)", _RUNS_ON_GIT),
    (r"(.*/)?codeowners", "it decides who must review"),
    (r"(.*/)?\.(npmrc|yarnrc|yarnrc\.yml|pypirc|netrc|env)", "it holds credentials or names where packages come from"),
)


def protected_reason(path: str) -> str | None:
    """Why generated code must not touch `path`, or None when it may."""
    folded = unicodedata.normalize("NFKC", path).casefold()
    return next((reason for pattern, reason in _PROTECTED if re.fullmatch(pattern, folded)), None)
