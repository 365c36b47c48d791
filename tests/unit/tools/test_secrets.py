"""Secrets are found and hidden; placeholders and ordinary code are left alone."""

import base64
import random
import re
import string
import time
from urllib.parse import quote

import pytest

from repowright_tools.secrets import SecretFinding, redact, register_secret, scan_text, strip_invisible

_RANDOM = random.Random(7)


def _body(length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    """Something like the rest of a token; never written down, so that no scanner finds it in this file."""
    return "".join(_RANDOM.choice(alphabet) for _ in range(length - 2)) + "a7"


_KEY_LINES = "\n".join(_body(64) for _ in range(3))
TOKENS = {
    "github token": ["gh" + kind + "_" + _body(36) for kind in "pousr"] + ["github_" + "pat_" + _body(60)],
    "anthropic key": ["sk-" + "ant-api03-" + _body(80)],
    "openai key": ["sk-" + _body(48), "sk-" + "proj-" + _body(64)],
    "aws access key": ["AK" + "IA" + _body(16, string.ascii_uppercase)[:14] + "77", "AS" + "IA" + "Z" * 8 + "Q7W2E9R4"],
    "aws secret key": [f"aws_secret_access_key = {_body(40)}"],
    "google api key": ["AI" + "za" + _body(35)],
    "slack token": ["xo" + "xb-" + _body(24)],
    "stripe key": ["sk_" + "live_" + _body(24)],
    "json web token": [f"ey{'J'}{_body(20)}.ey{'J'}{_body(30)}.{_body(40)}"],
    "private key": [
        f"-----BEGIN {kind}PRIVATE KEY-----\n{_KEY_LINES}\n-----END {kind}PRIVATE KEY-----" for kind in ("", "RSA ")
    ],
    "credentials in a URL": [f"postgres://admin:{_body(12)}@db.internal/app", f"https://{_body(30)}@example.org/x.git"],
    "authorization header": [f"Authorization: Bearer {_body(40)}"],
    "password or token": [
        f'password = "{_body(20)}"',
        f"api_key: '{_body(32)}'",
        f'"client_secret": "{_body(24)}"',
        f'const authToken: string = "{_body(24)}";',
        f"export DEPLOY_TOKEN={_body(24)}",
    ],
}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in TOKENS.items() for text in texts])
def test_a_secret_of_a_known_shape_is_found_at_its_line_and_hidden(kind: str, text: str) -> None:
    """K04."""
    findings = scan_text("config.py", f"first line\n{text}\nlast line\n")

    assert SecretFinding(kind, "config.py", 2) in findings
    assert max(re.findall(r"[A-Za-z0-9]{8,}", text), key=len) not in redact(f"before {text} after")
    assert f"[redacted: {kind}]" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        'token = "your-token-here"',
        'token = "xxxxxxxxxxxxxxxxxxxxxxxx"',
        "GITHUB_TOKEN=" + "gh" + "p_" + "x" * 36,
        'password = "${DB_PASSWORD}"',
        "DATABASE_URL=postgres://user:password@localhost:5432/test",
        "postgres://postgres:postgres@localhost/app",
        "https://${TOKEN}@github.com/ada/tool.git",
        'api_key = os.environ["API_KEY"]',
        'secret = "example-secret-value"',
        'password = "test-password-123"',
        'next_token = "page-2-of-results"',
        'token_url = "https://example.org/oauth2/token"',
        'if text.startswith("-----BEGIN PRIVATE KEY-----"):',
        "Authorization: Bearer <your token>",
        "def tokenise(token: str, password: str) -> str: ...",
        'PASSWORD_FIELD = "form.password.confirmation"',
        "integrity sha512-" + "A" * 86,
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
        "the task-oriented-programming-language-of-tomorrow",
        "git@github.com:ada/tool.git ssh://git@host:22/x",
        'csrf_token = "{{ csrf_token() }}"',
    ],
)
def test_a_placeholder_or_ordinary_code_is_no_finding(text: str) -> None:
    assert scan_text("code.py", text) == []


def test_a_registered_value_is_hidden_as_it_is_and_in_the_forms_it_travels_in() -> None:
    """K01, K02."""
    value = "canary+value/with spaces&odd=7"
    register_secret(value)
    header = base64.b64encode(f"x-access-token:{value}".encode()).decode()

    for carrier in (value, quote(value, safe=""), header, base64.urlsafe_b64encode(f"a{value}b".encode()).decode()):
        assert "[redacted: registered secret]" in redact(f"error: {carrier}!")
    assert value[:8] not in base64.b64decode(redact(header).partition("[")[0] + "==", validate=False).decode()[15:]
    assert scan_text("x", f"a\n{value}") == [SecretFinding("registered secret", "x", 2)]


def test_a_short_value_is_not_registered_because_it_would_spoil_every_text() -> None:
    register_secret("the")

    assert redact("the cat") == "the cat"


def test_hiding_twice_is_hiding_once() -> None:
    text = "\n".join(token for tokens in TOKENS.values() for token in tokens)

    assert redact(redact(text)) == redact(text)


def test_a_token_split_by_characters_nobody_sees_is_found() -> None:
    """I03."""
    token = "gh" + "p_" + _body(36)

    assert scan_text("x", f"\n{token[:9]}\u200b{token[9:]}") == [SecretFinding("github token", "x", 2)]


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;https://evil.example\x07link\x1b]8;;\x07", "link"),
        ("\x1b]52;c;ZXZpbA==\x1b\\after", "after"),
        ("a\u202eb\u2066c\u200bd\ufeffe\u00adf", "abcdef"),
        ("tag\U000e0041\U000e0042s", "tags"),
        ("\x9b1mC1\x85", "C1"),
        ("50%\r100%\r\ndone\x07\x00", "50%\n100%\r\ndone"),
        ("tab\tand\nnewline, naïve 日本語 🎉 stay", "tab\tand\nnewline, naïve 日本語 🎉 stay"),
    ],
)
def test_what_a_reader_cannot_see_is_taken_out(text: str, visible: str) -> None:
    """S22, I03."""
    assert strip_invisible(text) == visible


@pytest.mark.parametrize(
    "piece",
    ["a", "ghp_", "eyJaaaaaaaa.", "-----BEGIN PRIVATE KEY-----", 'password = "a1', "://aaaa", "sk-ant-", "\x1b[0"],
)
def test_a_line_of_five_megabytes_takes_time_in_proportion(piece: str) -> None:
    """R11: every pattern is linear; a quadratic one would take hours here."""
    line = piece * (5_000_000 // len(piece))
    started = time.monotonic()

    redact(line)
    scan_text("x", line)
    strip_invisible(line)

    assert time.monotonic() - started < 30
