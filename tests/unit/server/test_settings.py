"""Settings: strict, private, and documented by a generated file."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from repowright_server.app import build_server
from repowright_server.settings import SettingsInvalid, env_example, load_settings, meanings

ROOT = Path(__file__).parents[3]


def test_the_example_file_is_fresh() -> None:
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == env_example()


def test_every_setting_says_what_it_means() -> None:
    assert [name for name, meaning in meanings().items() if not meaning] == []


def test_the_settings_file_is_read_from_the_home_and_from_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, repository = tmp_path / "home", tmp_path / "repository"
    home.mkdir()
    repository.mkdir()
    (home / ".env").write_text("WAIT_S=7\n", encoding="utf-8")
    (repository / ".env").write_text("WAIT_S=9\nAPPROVAL_POLICY=auto\n", encoding="utf-8")
    monkeypatch.setenv("REPOWRIGHT_HOME", str(home))
    monkeypatch.chdir(repository)

    settings = load_settings()

    assert (settings.wait_s, settings.approval_policy) == (7.0, "ask")


def test_the_environment_wins_over_the_file_and_lists_are_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("WAIT_S=7\n", encoding="utf-8")
    monkeypatch.setenv("REPOWRIGHT_HOME", str(tmp_path))
    monkeypatch.setenv("WAIT_S", "3")
    monkeypatch.setenv("ALLOWED_REPOSITORIES", "ada/tool, /srv/git/x.git")
    monkeypatch.setenv("SANDBOX_MEMORY", "512m")

    settings = load_settings()

    assert settings.wait_s == 3.0
    assert settings.allowed_repositories == ("ada/tool", "/srv/git/x.git")
    assert settings.sandbox_memory == 512 * 1024 * 1024


@pytest.mark.parametrize(
    ("text", "size"), [("512m", 512 << 20), ("1g", 1 << 30), ("1.5G", 3 << 29), ("65536KB", 64 << 20)]
)
def test_sizes_are_read_as_docker_spells_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, size: int
) -> None:
    monkeypatch.setenv("REPOWRIGHT_HOME", str(tmp_path))
    monkeypatch.setenv("SANDBOX_MEMORY", text)

    assert load_settings().sandbox_memory == size


def test_a_wrong_setting_is_named_and_its_value_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """K02"""
    monkeypatch.setenv("REPOWRIGHT_HOME", str(tmp_path))
    monkeypatch.setenv("WAIT_S", "sk-ant-not-a-number")

    with pytest.raises(SettingsInvalid) as refused:
        load_settings()

    assert "WAIT_S" in str(refused.value)
    assert "sk-ant" not in str(refused.value)


def test_keys_do_not_show_in_the_representation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """K02"""
    monkeypatch.setenv("REPOWRIGHT_HOME", str(tmp_path))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-canary-one,sk-ant-canary-two")
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_canary")

    settings = load_settings()

    assert [key.get_secret_value() for key in settings.anthropic_api_key] == ["sk-ant-canary-one", "sk-ant-canary-two"]
    assert "canary" not in repr(settings)


def test_a_misspelt_breakpoint_is_refused_since_it_would_be_no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKPOINTS", "plan_feature, generate_code")
    kept = load_settings().breakpoints
    monkeypatch.setenv("BREAKPOINTS", "plan")

    assert kept == ("plan_feature", "generate_code")
    with pytest.raises(SettingsInvalid, match="BREAKPOINTS"):
        load_settings()


def test_servers_that_start_at_once_seal_questions_with_one_key(tmp_path: Path) -> None:
    """A key that is seen half written would end a server at its start, and every later one."""
    settings = load_settings(repowright_home=tmp_path)
    with ThreadPoolExecutor(8) as servers:
        list(servers.map(build_server, [settings] * 8))

    key = tmp_path / "state.key"
    assert (len(key.read_bytes()), key.stat().st_mode & 0o777) == (32, 0o600)
    assert [each.name for each in tmp_path.glob("state.key*")] == ["state.key"]


@pytest.mark.parametrize("url", ["nonsense", "ftp://host", "http://", "http://[::1", "http://host:port", "http://h:0"])
@pytest.mark.parametrize("name", ["ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "GITHUB_BASE_URL"])
def test_an_address_that_nothing_can_be_sent_to_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, url: str
) -> None:
    monkeypatch.setenv("REPOWRIGHT_HOME", str(tmp_path))
    monkeypatch.setenv(name, url)

    with pytest.raises(SettingsInvalid, match=f"{name}: .*http or https"):
        load_settings()


@pytest.mark.parametrize("name", ["RATE_LIMIT_PERIOD", "RETRY_MAX_WAIT", "LLM_TIMEOUT", "MAX_RUN_COST_USD"])
@pytest.mark.parametrize("value", ["inf", "nan"])
def test_a_figure_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("REPOWRIGHT_HOME", str(tmp_path))
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsInvalid, match=name):
        load_settings()


@pytest.mark.parametrize("value", ["pip", "pip=", "cargo=https://index.example/", "https://index.example/simple"])
def test_an_index_is_a_tool_and_an_address_and_its_password_is_not_shown(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDBOX_INDEXES", f"pip=https://me:a-password-of-mine@index.example/simple,{value}")

    with pytest.raises(SettingsInvalid, match="SANDBOX_INDEXES") as raised:
        load_settings()

    assert "a-password" not in str(raised.value)


def test_indexes_of_the_operator_are_read_with_what_lets_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_INDEXES", "pip=https://me:a-password-of-mine@index.example/simple?a=b")

    (index,) = load_settings().sandbox_indexes

    assert index.get_secret_value().endswith("@index.example/simple?a=b")
    assert "a-password" not in repr(index)
