"""A public URL that others cannot reach is refused before anything is signed with it."""

import pytest
from pydantic import AnyHttpUrl

from libs.common.public_url import fault_of
from libs.common.settings import Settings, SettingsError


@pytest.mark.parametrize(
    "url",
    [
        "http://badges.education.gov.example",
        "http://127.0.0.1:8103",
        "https://127.0.0.1",
        "https://127.1",
        "https://2130706433",
        "https://0x7f.0.0.1",
        "https://0.0.0.0",
        "https://localhost",
        "https://LOCALHOST./",
        "https://badges.localhost",
        "https://badges.local",
        "https://badges.internal",
        "https://badges",
        "https://10.0.0.1",
        "https://172.16.9.9",
        "https://192.168.1.20:8443",
        "https://169.254.169.254",
        "https://100.64.0.1",
        "https://[::1]",
        "https://[::]",
        "https://[::ffff:127.0.0.1]",
        "https://[fd00::1]",
        "https://[fe80::1]",
        "https://user:secret@badges.education.example",
        "https://badges.education.example/?a=1",
    ],
)
def test_what_others_cannot_reach_by_https_is_named(url: str) -> None:
    assert fault_of(AnyHttpUrl(url)) is not None


@pytest.mark.parametrize(
    "url", ["https://badges.education.example", "https://badges.education.example:8443/base", "https://8.8.8.8"]
)
def test_what_anybody_reaches_is_taken(url: str) -> None:
    assert fault_of(AnyHttpUrl(url)) is None


def test_a_service_with_the_default_does_not_start_unless_it_is_told_that_it_is_for_this_machine() -> None:
    with pytest.raises(SettingsError, match="BOWERBIRD_PUBLIC_URL"):
        Settings().require_public_url()
    Settings(local_only=True).require_public_url()
    Settings(public_url=AnyHttpUrl("https://badges.education.example")).require_public_url()
