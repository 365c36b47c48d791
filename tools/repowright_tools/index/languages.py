"""Which language a file is written in, by its name, and which grammar parses it."""

from repowright_tools.index.paths import name_of

_BY_EXTENSION = {
    "Python": "py pyi",
    "JavaScript": "js jsx mjs cjs",
    "TypeScript": "ts tsx mts cts",
    "Go": "go",
    "Rust": "rs",
    "Java": "java",
    "C": "c h",
    "C++": "cc cpp cxx hh hpp hxx",
    "C#": "cs",
    "Ruby": "rb rake gemspec",
    "PHP": "php",
    "Kotlin": "kt kts",
    "Swift": "swift",
    "Scala": "scala",
    "Groovy": "groovy gradle",
    "Elixir": "ex exs",
    "Erlang": "erl",
    "Haskell": "hs",
    "Lua": "lua",
    "Perl": "pl pm",
    "R": "r",
    "Dart": "dart",
    "Objective-C": "m mm",
    "Shell": "sh bash zsh",
    "PowerShell": "ps1",
    "SQL": "sql",
    "HTML": "html htm",
    "CSS": "css scss sass less",
    "Vue": "vue",
    "Svelte": "svelte",
    "HCL": "tf hcl",
    "Protocol Buffers": "proto",
    "GraphQL": "graphql gql",
    "YAML": "yml yaml",
    "JSON": "json jsonc json5",
    "TOML": "toml",
    "XML": "xml xsd xsl",
    "Markdown": "md markdown mdx",
    "reStructuredText": "rst",
    "Text": "txt",
}
_LANGUAGES = {extension: name for name, extensions in _BY_EXTENSION.items() for extension in extensions.split()}
_BY_NAME = {
    "makefile": "Makefile",
    "gnumakefile": "Makefile",
    "dockerfile": "Dockerfile",
    "justfile": "Just",
    "jenkinsfile": "Groovy",
    "rakefile": "Ruby",
    "gemfile": "Ruby",
}
_GRAMMARS = {"Python": "python", "JavaScript": "javascript", "Go": "go", "Rust": "rust", "Java": "java"}
_FAMILIES = {"typescript": "javascript", "tsx": "javascript"}


def language_of(path: str) -> str | None:
    """The name of the file's language; None when its name tells nothing."""
    name = name_of(path).lower()
    _, dot, extension = name.rpartition(".")
    return _BY_NAME.get(name) or (_LANGUAGES.get(extension) if dot else None)


def grammar_of(path: str) -> str | None:
    """The grammar that parses the file: python, javascript, typescript, tsx, go, rust, java, or None."""
    language = language_of(path)
    if language == "TypeScript":
        return "tsx" if path.lower().endswith(".tsx") else "typescript"
    return _GRAMMARS.get(language or "")


def family_of(grammar: str) -> str:
    """Grammars of one family may refer to each other's definitions; no link is drawn across families."""
    return _FAMILIES.get(grammar, grammar)
