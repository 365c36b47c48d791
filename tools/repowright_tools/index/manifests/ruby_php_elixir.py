"""Gemfile and Rakefile, composer.json, mix.exs."""

import re
from collections.abc import Iterator

from repowright_tools.index.manifests.found import Found, found, json_object, manifests, mapping
from repowright_tools.index.tree import Tree, line_of

_SCRIPTS = (
    ("test", re.compile(r"tests?|phpunit|pest|test:unit")),
    ("lint", re.compile(r"lint|cs|phpstan|analy[sz]e|check|psalm|stan|phpcs")),
    ("build", re.compile(r"build")),
    ("run", re.compile(r"start|serve|dev")),
)


def commands(tree: Tree) -> Iterator[Found]:
    yield from _ruby(tree)
    yield from _php(tree)
    for path, text, prefix in manifests(tree, "mix.exs"):
        line = line_of(text, r"^defmodule\b")
        yield found("install", f"{prefix}mix deps.get", *_lock(tree, path, "mix.exs", "mix.lock", line))
        yield found("test", f"{prefix}mix test", path, line)
        yield found("build", f"{prefix}mix compile", path, line)
        if at := line_of(text, r"\{:phoenix,"):
            yield found("run", f"{prefix}mix phx.server", path, at)


def _ruby(tree: Tree) -> Iterator[Found]:
    for path, text, prefix in manifests(tree, "Gemfile"):
        folder = path.removesuffix("Gemfile")
        line = line_of(text, r"^(source|gem)\b")
        yield found("install", f"{prefix}bundle install", *_lock(tree, path, "Gemfile", "Gemfile.lock", line))
        rspec = line_of(tree.text(f"{folder}.rspec") or "", r"\S")
        rake = tree.text(f"{folder}Rakefile") or ""
        if rspec or any(known.startswith(f"{folder}spec/") and known.endswith("_spec.rb") for known in tree.paths):
            proof = (f"{folder}.rspec", rspec) if rspec else (path, line_of(text, r"\brspec") or line)
            yield found("test", f"{prefix}bundle exec rspec", *proof)
        if rails := tree.text(f"{folder}bin/rails"):
            command = f"{prefix}bin/rails"
            yield found("test", f"{command} test", f"{folder}bin/rails", line_of(rails, r"^#!"))
            yield found("run", f"{command} server", f"{folder}bin/rails", line_of(rails, r"^#!"))
        elif at := line_of(rake, r"TestTask\.new|^\s{0,8}task[ (:]{1,3}(?:test|default)\b|RSpec::Core::RakeTask"):
            default = line_of(rake, r"^\s{0,8}task[ (:]{1,3}default\b")
            task = "test" if re.search(r"TestTask\.new|task[ (:]{1,3}test\b", rake) else ""
            yield found("test", f"{prefix}bundle exec rake {task}".rstrip(), f"{folder}Rakefile", at or default)
        if (rubocop := tree.text(f"{folder}.rubocop.yml")) is not None:
            yield found("lint", f"{prefix}bundle exec rubocop", f"{folder}.rubocop.yml", line_of(rubocop, r"\S"))


def _php(tree: Tree) -> Iterator[Found]:
    for path, text, prefix in manifests(tree, "composer.json"):
        folder = path.removesuffix("composer.json")
        line = line_of(text, r'"(require|name)"\s*:')
        yield found("install", f"{prefix}composer install", *_lock(tree, path, "composer.json", "composer.lock", line))
        block = line_of(text, r'"scripts"\s*:')
        start = len("\n".join(text.split("\n")[: (block or 1) - 1]))
        for name in mapping(json_object(text).get("scripts")):
            for kind, names in _SCRIPTS:
                if names.fullmatch(name):
                    at = line_of(text, rf'"{re.escape(name)}"\s*:', start)
                    yield found(kind, f"{prefix}composer {'run ' if kind != 'test' else ''}{name}", path, at)
        for name in ("phpunit.xml", "phpunit.xml.dist"):
            if (unit := tree.text(folder + name)) is not None:
                yield found("test", f"{prefix}vendor/bin/phpunit", folder + name, line_of(unit, r"<phpunit\b"))
        if artisan := tree.text(f"{folder}artisan"):
            yield found("test", f"{prefix}php artisan test", f"{folder}artisan", line_of(artisan, r"^#!"))
            yield found("run", f"{prefix}php artisan serve", f"{folder}artisan", line_of(artisan, r"^#!"))


def _lock(tree: Tree, path: str, name: str, lock: str, line: int | None) -> tuple[str, int | None]:
    """The lock file beside the manifest, else the manifest's own line."""
    beside = path.removesuffix(name) + lock
    return (beside, 1) if tree.has_path(beside) else (path, line)
