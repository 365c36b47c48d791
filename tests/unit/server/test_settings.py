"""Settings: strict, private, and documented by a generated file."""

from pathlib import Path

import pytest

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
