"""What a shell line in CI or in a README is for."""

import re

_ASSIGNMENTS = r"(?:(?:[A-Z_][A-Z0-9_]*=\S*|env|sudo|time)\s+)*"
_RUNNERS = r"""(?:
    (?:(?:uv|poetry|pdm|hatch|pipenv|rye)\ run|npx|bunx|(?:pnpm|yarn|bundle)\ exec|(?:pnpm|yarn)\ dlx|xvfb-run
    |coverage\ run|python3?(?:\.\d+)?\ -m|python3?(?:\.\d+)?)\ (?:--?\S+\ )*
    )*"""
_SCRIPT = r"(?:npm|pnpm|yarn|bun)(?:\ run)?"
_TASK = r"(?:make|just|task|mage|rake|composer(?:\ run(?:-script)?)?)"
_MVN = r"(?:\./)?mvnw?\b.*\ "
_GRADLE = r"(?:gradle|\./gradlew)\b.*\ :?(?:[\w-]+:)*"
_VENDOR = r"(?:\./)?(?:vendor/bin/|bin/|node_modules/\.bin/)?"
_KINDS = {
    "install": rf"""
        (?:pip3?|uv\ pip)\ install\b(?=.*\ (?:-r|--requirement|-e|--editable|--group|["']?\.))
        | (?:uv|pdm)\ sync\b | (?:poetry|pdm|pipenv|bundle|composer)\ install\b
        | npm\ ci\b | (?:npm|pnpm|bun)\ (?:install|i)(?:\ --\S+)*$ | yarn(?:\ install\b.*)?$
        | go\ mod\ download\b | cargo\ fetch\b | mix\ deps\.get\b | dotnet\ restore\b | {_VENDOR}setup$
        | {_MVN}dependency:go-offline\b | {_TASK}\ (?:install|setup|deps|bootstrap|init)\b""",
    "test": rf"""
        {_VENDOR}(?:pytest|tox|nox|unittest|jest|vitest|mocha|ava|ctest|rspec|phpunit|pest|bats)\b(?!\ --version)
        | {_SCRIPT}\ (?:test|t)\b | playwright\ test\b | cypress\ run\b | node\ (?:\S+\ )*--test\b | deno\ test\b
        | (?:\./)?(?:\S+/)?run_?tests?\.(?:py|sh|php|pl)\b | setup\.py\ test\b
        | (?:go|dotnet|swift|mix|flutter|dart|zig|bazel)\ test\b | cargo\ (?:test|nextest)\b | gotestsum\b
        | (?:bin/)?rails\ test\b | php\ artisan\ test\b | meson\ test\b
        | {_MVN}(?:test|verify)\b | {_GRADLE}(?:test|check)\b
        | {_TASK}\ (?:tests?|unit-?tests?|spec|ci)\b | (?:\S+/)?manage\.py\ test\b""",
    "lint": rf"""
        {_VENDOR}(?:ruff|flake8|pylint|mypy|pyright|black|isort|ty|eslint|prettier|stylelint|biome|oxlint|tsc|vue-tsc
            |golangci-lint|staticcheck|pre-commit|prek|rubocop|phpstan|psalm|php-cs-fixer|phpcs|pint|ktlint|detekt
            |shellcheck|hadolint|clang-tidy|clang-format|actionlint|codespell|bandit|djlint|djhtml|curlylint
            |semgrep|doc8)\b
        | {_SCRIPT}\ (?:lint|typecheck|type-check|format)\b | go\ vet\b | gofmt\b | cargo\ (?:clippy|fmt)\b
        | mix\ (?:format|credo|dialyzer)\b | dotnet\ format\b | {_GRADLE}(?:lint|ktlintCheck|detekt|spotlessCheck)\b
        | {_TASK}\ (?:lint|check|format|fmt|typecheck|vet)\b""",
    "build": rf"""
        build\b(?=\ |$) | {_SCRIPT}\ (?:build|compile)\b
        | (?:go|cargo|dotnet|docker|hatch|uv|poetry|swift|zig|bazel)\ build\b
        | {_MVN}(?:package|install|compile)\b | {_GRADLE}(?:build|assemble)\b | cmake\ (?:\S+\ )*--build\b
        | mix\ compile\b | meson\ compile\b | {_TASK}\ (?:build|all|dist)\b | make(?:\ -j\S*)?$""",
    "run": rf"""
        (?:uvicorn|gunicorn|flask\ run|streamlit\ run|(?:go|cargo|dotnet|swift)\ run|docker(?:\ |-)compose\ up)\b
        | {_SCRIPT}\ (?:start|dev|serve)\b | {_TASK}\ (?:run|start|serve|dev)\b | (?:\S+/)?manage\.py\ runserver\b
        | (?:bin/)?rails\ (?:server|s)\b | php\ artisan\ serve\b | mix\ phx\.server\b | (?:bin/)dev$""",
}
_PATTERNS = {
    kind: re.compile(f"{_ASSIGNMENTS}{_RUNNERS}(?:{rule})", re.VERBOSE | re.DOTALL) for kind, rule in _KINDS.items()
}
_BARE_BUILD = re.compile(rf"{_ASSIGNMENTS}build\b", re.VERBOSE)
_PROMPT = re.compile(r"^[$>%]\s+")
_COMMENT = re.compile(r"\s#.*$")
_VARIABLE = re.compile(r"\$\{|\$[A-Za-z_]|%[A-Z_]+%|<[\w -]+>|\[[A-Z_]{3,}\]|(?<![/\w])\.\.\.")
_MOST_CHARACTERS = 200


def command_in(line: str) -> tuple[str, str] | None:
    """Kind and command of a line that is one of the known kinds; None for anything else.

    Lines with variables of the CI system or of the shell, with placeholders, or that go on in the next line, cannot be
    run as they stand.
    """
    if len(line) > _MOST_CHARACTERS:
        return None
    command = _COMMENT.sub("", _PROMPT.sub("", line.strip())).strip()
    if "${{" in command or command.endswith(("\\", "&&", "|", "(", "{")) or _VARIABLE.search(command):
        return None
    if _BARE_BUILD.match(command):  # `build` is a program of Python only when Python is told to run it
        return None
    return next(((kind, command) for kind, pattern in _PATTERNS.items() if pattern.match(command)), None)
