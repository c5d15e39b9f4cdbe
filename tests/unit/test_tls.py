"""HTTPS: both files or neither, and files that cannot be used are told before anything listens."""

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.certificate import self_signed
from libs.common.settings import Settings, SettingsError
from libs.common.tls import server_context

NOW = datetime.now(UTC)


def test_one_half_of_a_certificate_stops_the_start_and_both_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOWERBIRD_TLS_CERT_FILE", "/somewhere/certificate.pem")
    with pytest.raises(SettingsError, match=r"BOWERBIRD_TLS_CERT_FILE and BOWERBIRD_TLS_KEY_FILE"):
        Settings.load()


def test_without_a_certificate_there_is_no_https() -> None:
    assert server_context(Settings()) is None


def test_a_certificate_and_its_key_serve_https(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    context = server_context(Settings(tls_cert_file=certificate, tls_key_file=key))
    assert context is not None
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_a_key_that_is_not_the_certificates_is_told_with_its_settings(tmp_path: Path) -> None:
    certificate, _ = self_signed(tmp_path / "one")
    _, other = self_signed(tmp_path / "two")
    for key in (other, tmp_path / "missing.pem"):
        with pytest.raises(SettingsError, match="BOWERBIRD_TLS_KEY_FILE"):
            server_context(Settings(tls_cert_file=certificate, tls_key_file=key))


def test_a_certificate_is_made_once_and_again_before_it_runs_out(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, NOW)
    first = certificate.read_bytes()
    assert self_signed(tmp_path, NOW + timedelta(days=80))[0].read_bytes() == first
    assert self_signed(tmp_path, NOW + timedelta(days=90))[0].read_bytes() != first
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(tmp_path.stat().st_mode) & 0o077 == 0
