"""How frameworks declare what users reach: routes and commands, by language.

Every pattern is bounded and starts with a literal or at a line's start, so that searching is linear in the text. Its
`anchors` are looked for first: a file without one of them is not searched at all.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_OPEN = r"\(\s{0,100}"
_PATH = r"""[rfu]?["'`](?P<what>/[^"'`\n]{0,200})["'`]"""
_NAME = r"""["'](?P<what>[A-Za-z][\w:.-]{0,99})"""
_SAYS = r"""["'](?P<text>[^"'\n]{3,200})["']"""
_ANY = r"[^\n]{0,200}"


@dataclass(frozen=True, slots=True)
class Pattern:
    """What declares a feature. Groups: `what` (path or name), and when it has them `verb`, `text` and `rest`.

    Attributes:
        kind: command or route.
        anchors: one of these is in every text that the pattern can match.
        needs: besides, one of these must be in the file; empty when nothing is needed.
        paths: the file's path must match; None for any.
    """

    kind: str
    anchors: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    needs: tuple[bytes, ...] = ()
    paths: re.Pattern[str] | None = None


def _pattern(kind: str, anchors: str, pattern: str, needs: str = "", paths: str | None = None) -> Pattern:
    return Pattern(
        kind,
        tuple(anchor.encode() for anchor in anchors.split("|")),
        re.compile(pattern.encode(), re.MULTILINE),
        tuple(need.encode() for need in needs.split("|") if need),
        re.compile(paths) if paths else None,
    )


_VERBS = "get|post|put|patch|delete"
_PYTHON = (
    _pattern("route", ".get(|.post(|.put(|.patch(|.delete(|.route(|.websocket(|.api_route(",
             rf"^[ \t]*@[\w.]{{1,100}}\.(?P<verb>{_VERBS}|api_route|route|websocket){_OPEN}{_PATH}"
             rf"(?=(?P<rest>[^\n)]{{0,200}}))"),
    _pattern("route", "path(", r"""^[ \t]{0,40}(?:re_)?path\(\s{0,100}r?["'](?P<what>[^"'\n]{0,200})["']\s{0,100},""",
             "urlpatterns|django.urls"),
    _pattern("command", ".command(",
             rf"^[ \t]*@[\w.]{{1,100}}\.command{_OPEN}(?:name[ \t]?=[ \t]?)?{_NAME}[\"']{_ANY}"),
    _pattern("command", ".command",
             r"^[ \t]*@[\w.]{1,100}\.command(?:\([^\"'\n]{0,200}\))?[ \t]*\n(?:[ \t]*@[^\n]{0,300}\n){0,30}"
             r"[ \t]*(?:async )?def (?P<what>\w{1,100})"),
    _pattern("command", ".add_parser(",
             rf"\.add_parser{_OPEN}{_NAME}[\"'](?:\s{{0,50}},[^()]{{0,200}}?\bhelp=_?\(?{_SAYS})?"),
    _pattern("command", "class Command(",
             r"^class (?P<what>Command)\("
             r"(?:[^\"']{0,400}?^[ \t]{1,8}help = (?:_\()?\(?\s{0,40}[\"'](?P<text>[^\"'\n]{3,200}))?",
             "", r"(?:^|/)management/commands/[a-z]\w*\.py$"),
)  # fmt: skip
_JAVASCRIPT = (
    _pattern("route", ".get(|.post(|.put(|.patch(|.delete(|.all(",
             rf"\b(?i:\w{{0,40}}(?:app|router|server|fastify|api|routes))\.(?P<verb>{_VERBS}|all){_OPEN}{_PATH}"),
    _pattern("route", "@Get(|@Post(|@Put(|@Patch(|@Delete(",
             r"^[ \t]*@(?P<verb>Get|Post|Put|Patch|Delete)\(\s{0,20}[\"'`](?P<what>[^\"'`\n]{1,200})[\"'`]",
             "@nestjs|Controller"),
    _pattern("command", ".command(",
             rf"\.command{_OPEN}{_NAME}[^\"'\n]{{0,80}}[\"'](?:\s{{0,40}},\s{{0,40}}{_SAYS}"
             rf"|\s{{0,40}}\)\s{{0,100}}\.(?:description|describe){_OPEN}[\"'](?P<said>[^\"'\n]{{3,200}}))?"),
)  # fmt: skip
_GO = (
    _pattern("route", "(\"/|(\"GET|(\"POST|(\"PUT|(\"PATCH|(\"DELETE",
             r"\.(?P<verb>(?i:get|post|put|patch|delete)|HandleFunc|Handle)\(\s{0,20}\""
             r"(?P<what>(?:(?:GET|POST|PUT|PATCH|DELETE) )?/[^\"\n]{0,200})\""),
    _pattern("command", "cobra.Command", rf"\bUse:[ \t]{{0,20}}{_NAME}[^\n]{{0,200}}"
             rf"(?:\s{{0,40}}(?:Aliases|Args|GroupID|Hidden|SilenceUsage):[^\n]{{0,200}}){{0,4}}"
             rf"(?:\s{{0,40}}Short:[ \t]{{0,20}}[\"`](?P<text>[^\"`\n]{{3,200}}))?"),
    _pattern("command", "cli.Command, error)",
             r"^\s{0,8}\"(?P<what>[a-z][\w -]{0,60})\":\s?func\(\) \(cli\.Command, error\)"),
    _pattern("command", "cli.Command{",
             rf"\bName:[ \t]{{0,20}}{_NAME}\",\s{{0,40}}"
             rf"(?:Aliases:[^\n]{{0,200}}\s{{0,40}})?Usage:[ \t]{{0,20}}\"(?P<text>[^\"\n]{{3,200}})"),
)  # fmt: skip
_RUST = (
    _pattern("route", "#[get(|#[post(|#[put(|#[patch(|#[delete(", rf"#\[(?P<verb>{_VERBS})\(\s{{0,20}}{_PATH}"),
    _pattern("route", ".route(|::resource(|::scope(",
             rf"(?:\.route|::resource){_OPEN}{_PATH}(?:\s{{0,40}},\s{{0,40}}(?:web::|routing::)?(?P<verb>{_VERBS})\()?"),
    _pattern("command", "Command::new(|App::new(|SubCommand::with_name(",
             rf"(?:Command::new|SubCommand::with_name){_OPEN}{_NAME}[\"'](?:\)\s{{0,40}}\.about\(\s{{0,20}}{_SAYS})?",
             "clap"),
)  # fmt: skip
_JVM = (
    _pattern("route", "Mapping(",
             r"@(?P<verb>Get|Post|Put|Patch|Delete|Request)Mapping\((?:value|path|[ \t={]){0,6}"
             r"[\"'](?P<what>/[^\"'\n]{0,200})[\"'](?=(?P<rest>[^\n)]{0,200}))"),
    _pattern("route", "@Path(", r"^[ \t]*@Path\(\s{0,20}\"(?P<what>[^\"\n]{1,200})\"", "javax.ws.rs|jakarta.ws.rs"),
    _pattern("route", "get(|post(|put(|patch(|delete(|route(",
             rf"^[ \t]{{1,60}}(?P<verb>{_VERBS})\(\s{{0,20}}\"(?P<what>/[^\"\n]{{0,200}})\"\)", "io.ktor"),
    _pattern("command", "@Command(|@CommandLine.Command(",
             rf"@(?:CommandLine\.)?Command\([^)\"]{{0,300}}\bname[ \t]?=[ \t]?{_NAME}[\"']"
             rf"(?:[^)\"]{{0,200}}\bdescription[ \t]?=[ \t]?\{{?\s{{0,20}}{_SAYS})?"),
)  # fmt: skip
_CSHARP = (
    _pattern("route", "[Http", r"\[Http(?P<verb>Get|Post|Put|Patch|Delete)\(\s{0,20}\"(?P<what>[^\"\n]{1,200})\""),
    _pattern("route", ".MapGet(|.MapPost(|.MapPut(|.MapPatch(|.MapDelete(",
             rf"\.Map(?P<verb>Get|Post|Put|Patch|Delete){_OPEN}{_PATH}"),
    _pattern("route", "[Route(", r"\[Route\(\s{0,20}\"(?P<what>[^\"\n]{1,200})\""),
    _pattern("command", "new Command(", rf"\bnew Command{_OPEN}{_NAME}[\"'](?:\s{{0,20}},\s{{0,40}}{_SAYS})?"),
)  # fmt: skip
_RAILS = r"(?:^|/)config/routes(?:/\w+)?\.rb$"
_RUBY = (
    _pattern("route", "get |post |put |patch |delete |match ",
             rf"^[ \t]{{0,40}}(?P<verb>{_VERBS}|match)[ (]{{1,3}}[\"'](?P<what>[^\"'\n]{{1,200}})[\"']", "", _RAILS),
    _pattern("route", "resource", r"^[ \t]{0,40}resources?[ (]{1,3}:(?P<what>\w{1,80})", "", _RAILS),
    _pattern("route", "get |post |put |patch |delete ",
             rf"^[ \t]{{0,8}}(?P<verb>{_VERBS})[ (]{{1,3}}[\"'](?P<what>/[^\"'\n]{{0,200}})[\"'][^\n]{{0,80}}\bdo\b",
             "sinatra|Sinatra|Grape"),
    _pattern("command", "desc ",
             rf"^[ \t]{{1,20}}desc[ (]{{1,3}}{_NAME}[^\"'\n]{{0,80}}[\"'],\s{{0,20}}{_SAYS}", "Thor"),
)  # fmt: skip
_PHP = (
    _pattern("route", "Route::",
             rf"\bRoute::(?P<verb>{_VERBS}|any|resource|apiResource|view){_OPEN}[\"'](?P<what>[^\"'\n]{{1,200}})[\"']"),
    _pattern("route", "#[Route(|@Route(",
             r"[#@]\[?Route\(\s{0,40}(?:path:\s?)?[\"'](?P<what>/[^\"'\n]{0,200})[\"'](?=(?P<rest>[^\n)]{0,200}))"),
    _pattern("route", "->get(|->post(|->put(|->patch(|->delete(",
             rf"\$(?:app|router|group|r)->(?P<verb>{_VERBS}){_OPEN}{_PATH}"),
    _pattern("command", "AsCommand(",
             rf"AsCommand\(\s{{0,40}}(?:name:\s?)?{_NAME}[\"']"
             rf"(?:\s{{0,20}},\s{{0,40}}(?:description:\s?)?{_SAYS})?"),
    _pattern("command", "$signature", r"protected \$signature = [\"']\s{0,40}(?P<what>[A-Za-z][\w:.-]{0,99})"
             r"[^;]{0,400};(?:[^;]{0,200}\$description = [\"'](?P<text>[^\"'\n]{3,200}))?"),
)  # fmt: skip

BY_LANGUAGE: Mapping[str, tuple[Pattern, ...]] = {
    "Python": _PYTHON,
    "JavaScript": _JAVASCRIPT,
    "TypeScript": _JAVASCRIPT,
    "Go": _GO,
    "Rust": _RUST,
    "Java": _JVM,
    "Kotlin": _JVM,
    "C#": _CSHARP,
    "Ruby": _RUBY,
    "PHP": _PHP,
}
"""Patterns by the name of the language (`languages.language_of`)."""

METHODS = re.compile(rb"\b(?:methods?|method)\s?[=:]\s?[\[({]?\s?(?:RequestMethod\.)?[\"']?(?P<verb>[A-Z]{3,6})")
"""The verb among the further arguments of a route (Flask, Spring, Symfony)."""
