"""The REST calls of the fake GitHub, on a repository that the caller may see."""

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from fakes.github_state import FakePull, FakeRepository, Refused


class Call(NamedTuple):
    """One call below /repos/owner/name; `path` is what follows it, `wanted` the JSON that came in."""

    method: str
    path: str
    query: dict[str, list[str]]
    wanted: Any


@dataclass(frozen=True)
class RestApi:
    web_url: str
    api_url: str
    login: str

    def respond(self, repository: FakeRepository, call: Call, *, push: bool) -> tuple[int, Any]:
        """Status and JSON; `push` is what the token may do."""
        match call.method, call.path:
            case "GET", "":
                return 200, {**self._short(repository), "permissions": {"admin": False, "push": push, "pull": True}}
            case "GET", "/pulls":
                return 200, [self._json(repository, pull) for pull in _filtered(repository, call.query)]
            case "POST", "/pulls":
                return 201, self._json(repository, repository.open_pull(call.wanted, self.login))
            case method, path:
                if method == "GET" and (branch := re.fullmatch(r"/branches/(.+)", path)):
                    return 200, _branch(repository, branch[1])
                if one := re.fullmatch(r"/(?:pulls|issues)/(\d+)(/requested_reviewers|/labels)?", path):
                    pull = repository.pull(int(one[1]))
                    return self._change(repository, pull, f"{method} {one[2] or ''}".strip(), call.wanted)
                raise Refused(404, "Not Found")

    def _change(self, repository: FakeRepository, pull: FakePull, what: str, wanted: Any) -> tuple[int, Any]:
        match what:
            case "GET":
                return 200, self._json(repository, pull)
            case "PATCH":
                pull.title, pull.body = wanted.get("title", pull.title), wanted.get("body", pull.body)
                return 200, self._json(repository, pull)
            case "POST /requested_reviewers":
                asked: list[str] = [*wanted.get("reviewers", []), *wanted.get("team_reviewers", [])]
                if "nobody" in asked or pull.author in asked:
                    raise Refused(422, "Reviews may only be requested from collaborators.")
                pull.reviewers += [name for name in asked if name not in pull.reviewers]
                return 201, self._json(repository, pull)
            case "POST /labels":
                names: list[str] = wanted
                pull.labels += [name for name in names if name not in pull.labels]
                return 200, [{"name": name} for name in pull.labels]
            case _:
                raise Refused(404, "Not Found")

    def _short(self, repository: FakeRepository) -> dict[str, Any]:
        return {
            "full_name": repository.name,
            "name": repository.name.partition("/")[2],
            "default_branch": repository.default_branch,
            "private": repository.private,
            "archived": repository.archived,
            "url": f"{self.api_url}/repos/{repository.name}",
        }

    def _json(self, repository: FakeRepository, pull: FakePull) -> dict[str, Any]:
        owner = repository.name.partition("/")[0]
        url, branches = f"{self.api_url}/repos/{repository.name}", repository.branches()
        head, base = (
            {"ref": name, "sha": branches.get(name), "label": f"{owner}:{name}", "repo": self._short(repository)}
            for name in (pull.head, pull.base)
        )
        return {
            "number": pull.number,
            "title": pull.title,
            "body": pull.body,
            "state": pull.state,
            "draft": pull.draft,
            "url": f"{url}/pulls/{pull.number}",
            "issue_url": f"{url}/issues/{pull.number}",
            "html_url": f"{self.web_url}/{repository.name}/pull/{pull.number}",
            "user": {"login": pull.author},
            "head": head,
            "base": base,
        }


def _branch(repository: FakeRepository, name: str) -> dict[str, Any]:
    commit = repository.branches().get(name)
    if commit is None:
        raise Refused(404, "Branch not found")
    return {"name": name, "commit": {"sha": commit}}


def _filtered(repository: FakeRepository, query: dict[str, list[str]]) -> list[FakePull]:
    asked = {name: values[0] for name, values in query.items()}
    state, head, base = asked.get("state", "open"), asked.get("head"), asked.get("base")
    owner = repository.name.partition("/")[0]
    return [
        pull
        for pull in repository.pulls
        if state in ("all", pull.state)
        and (head is None or head == f"{owner}:{pull.head}")
        and (base is None or base == pull.base)
    ]
