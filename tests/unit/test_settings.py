"""Settings stop the start by name, and never show a secret."""

import pytest

from libs.common.settings import Settings, SettingsError


def test_an_unknown_variable_stops_the_start_and_the_nearest_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOWERBIRD_MONGO_URI", "mongodb://x")
    with pytest.raises(SettingsError, match=r"BOWERBIRD_MONGO_URI .* did you mean BOWERBIRD_MONGO_URL"):
        Settings.load()


def test_an_invalid_value_stops_the_start_with_the_name_of_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOWERBIRD_HTTP_PORT", "99999")
    with pytest.raises(SettingsError, match=r"BOWERBIRD_HTTP_PORT: .*65535"):
        Settings.load()


def test_an_invalid_secret_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOWERBIRD_MONGO_URL", "mongodb://user:hunter2@db/")
    monkeypatch.setenv("BOWERBIRD_HTTP_PORT", "hunter2")
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert "hunter2" not in str(caught.value)


def test_every_setting_is_described_and_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOWERBIRD_MONGO_URL", "mongodb://user:hunter2@db/?tls=true")
    described = Settings.load().described()
    assert all(meaning for _variable, _value, meaning in described)
    assert not any("hunter2" in value for _variable, value, _meaning in described)


def test_variables_of_the_embedded_stack_do_not_disturb_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOWERBIRD_STACK_VAR", "/somewhere")
    Settings.load()


def test_a_name_that_is_like_none_of_ours_gets_no_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOWERBIRD_FOO", "1")
    with pytest.raises(SettingsError, match="BOWERBIRD_FOO is not a setting of this service: unset it"):
        Settings.load()
