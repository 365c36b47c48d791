"""go.mod, Cargo.toml, pom.xml and Gradle."""

from collections.abc import Iterator

from repowright_tools.index.manifests.found import Found, found, manifests
from repowright_tools.index.tree import Tree, line_of

_TOOLS = (  # manifest, line that proves it, commands by kind
    ("go.mod", r"^module\b", {"install": "go mod download", "test": "go test ./...", "lint": "go vet ./...",
                              "build": "go build ./..."}),
    ("Cargo.toml", r"^\[(package|workspace)\b", {"install": "cargo fetch", "test": "cargo test", "lint": "cargo clippy",
                                                 "build": "cargo build"}),
)  # fmt: skip
_MAVEN = {"install": "dependency:go-offline", "test": "test", "build": "package"}
_GRADLE = {"test": "test", "lint": "check", "build": "build"}


def commands(tree: Tree) -> Iterator[Found]:
    for name, proof, by_kind in _TOOLS:
        for path, text, prefix in manifests(tree, name):
            line = line_of(text, proof)
            for kind, command in by_kind.items():
                yield found(kind, prefix + command, path, line)
            if name == "Cargo.toml" and tree.has_path(path.removesuffix(name) + "src/main.rs"):
                yield found("run", f"{prefix}cargo run", path, line)
    if tree.has_path("go.mod") and tree.has_path("main.go"):
        yield found("run", "go run .", "main.go", line_of(tree.text("main.go") or "", r"^func main\("))
    for path, text, prefix in manifests(tree, "pom.xml"):
        tool = "./mvnw -B" if tree.has_path(path.removesuffix("pom.xml") + "mvnw") else "mvn -B"
        for kind, goal in _MAVEN.items():
            yield found(kind, f"{prefix}{tool} {goal}", path, line_of(text, r"<project\b"))
    for name in ("build.gradle", "build.gradle.kts"):
        for path, _, prefix in manifests(tree, name):
            tool = "./gradlew" if tree.has_path(path.removesuffix(name) + "gradlew") else "gradle"
            for kind, task in _GRADLE.items():
                yield found(kind, f"{prefix}{tool} {task}", path, 1)
