"""Settings stop the start by name, and never show a secret."""

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from bowerbird.commands import settings as settings_command
from bowerbird.operators import every_setting
from libs.common import build, mongo
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


def test_one_environment_may_hold_the_settings_of_all_services_and_a_misspelt_one_still_stops_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BOWERBIRD_SMTP_HOST", "mail.example")
    monkeypatch.setenv("BOWERBIRD_SERVICE_PASSWORDS", "")
    assert Settings.load(also_known=every_setting).http_port
    monkeypatch.setenv("BOWERBIRD_SMTP_HOTS", "mail.example")
    with pytest.raises(SettingsError, match="did you mean BOWERBIRD_SMTP_HOST"):
        Settings.load(also_known=every_setting)


@pytest.mark.parametrize(
    "url",
    ["mongodb://", "mongodb://u:hunter2@h:99999", "mongodb://u:p@ss:w@h"],
)
def test_a_connection_string_that_is_none_is_told_in_one_sentence_without_what_it_holds(url: str) -> None:
    with pytest.raises(SettingsError, match="BOWERBIRD_MONGO_URL cannot be used") as caught:
        mongo.connect(url, "test")
    assert "hunter2" not in str(caught.value)
    assert "p@ss" not in str(caught.value)


def test_settings_are_printed_as_json_for_programs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BOWERBIRD_SMTP_PASSWORD", "hunter2")
    monkeypatch.setenv("BOWERBIRD_SMTP_TLS", "tls")
    assert settings_command(as_json=True) == 0
    told = capsys.readouterr().out
    assert json.loads(told)["notifier"]["BOWERBIRD_SMTP_TLS"]["value"] == "tls"
    assert "hunter2" not in told


def test_the_version_and_the_commit_of_an_image_are_shown(tmp_path: Path) -> None:
    assert build.commit(tmp_path) == "unknown"
    (tmp_path / "COMMIT").write_text("0123abcd\n")
    assert build.commit(tmp_path) == "0123abcd"
    build.show()
    labels = f'commit="unknown",python="{platform.python_version()}",version="{build.VERSION}"'
    assert f"bowerbird_build_info{{{labels}}} 1.0" in generate_latest().decode()


@pytest.mark.parametrize("module", ["libs.common.settings", "deploy.embedded.commands", "bowerbird.access_files"])
def test_commands_that_serve_nothing_do_not_wait_until_a_server_is_imported(module: str) -> None:
    asked = f"import sys, {module}; print(*sorted({{'fastapi', 'faststream', 'uvicorn'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout == "\n"
