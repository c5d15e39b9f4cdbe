"""A public URL that others cannot reach is refused before anything is signed with it."""

import pytest
from pydantic import AnyHttpUrl

from libs.common.errors import InvalidRequestError
from libs.common.public_url import fault_of, leads_to_private
from libs.common.settings import Settings, SettingsError
from libs.common.web_urls import web_url
from services.evidence.sources.refusals import Reason, Refusal
from services.evidence.sources.rows import Submission, read_row
from services.issuer.catalogue.api import ProfileRequest
from tests.unit.test_evidence_rows import GOOD, TODAY


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


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "localhost.", "LOCALHOST:27117", "school.localhost", "intranet", "portfolio:8080", "printer.local",
        "127.0.0.1", "127.0.0.1:27117", "127.1", "0x7f.1", "0177.0.0.1", "2130706433", "0.0.0.1", "10.1.2.3",
        "172.16.0.1", "192.168.1.20", "169.254.169.254", "100.64.0.1", "[::1]", "[::]", "[fd00::1]", "[fe80::1]",
        "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::1]", "[::7f00:1]", "224.0.0.1",
        "168.63.129.16", "192.0.0.8", "192.88.99.1", "[fec0::1]", "[3fff::1]", "[5f00::1]", "[::1.2.3.4]", "198.18.0.1",
        "240.0.0.1", "[100::1]", "[2001:db8::1]", "[64:ff9b:1::a00:1]", "[::ffff:168.63.129.16]",
        "[64:ff9b::c058:6301]",
        "0xa83f8110", "router.home", "files.corp", "moodle.intranet", "nas.private", "x.lan.",
    ],
)  # fmt: skip
def test_a_link_or_logo_on_a_machine_that_others_cannot_reach_is_refused(host: str) -> None:
    url = web_url(f"http://{host}/raft")
    assert leads_to_private(url)
    refused = read_row({**GOOD, "link": url}, TODAY)
    assert isinstance(refused, Refusal)
    assert (refused.reason, refused.column) == (Reason.LINK_FORM, "link")
    assert isinstance(read_row({**GOOD, "link": url}, TODAY, local=True), Submission), "where one tries it out"
    with pytest.raises(InvalidRequestError) as profile:
        ProfileRequest(name="Wattle", logo=url, url=url).require_public()
    assert [each["field"] for each in profile.value.errors] == ["url", "logo"]


@pytest.mark.parametrize(
    "host",
    [
        "portfolio.school.example", "8.8.8.8", "[2606:4700::1111]", "1.example", "localhost.school.example",
        "home.school.example", "intranet.school.example", "[64:ff9b::808:808]", "privateschool.example", "corp.example",
    ],
)  # fmt: skip
def test_a_link_or_logo_that_anybody_reaches_is_taken(host: str) -> None:
    url = web_url(f"https://{host}/raft")
    assert not leads_to_private(url)
    assert isinstance(read_row({**GOOD, "link": url}, TODAY), Submission)
    ProfileRequest(name="Wattle", logo=url, url=url).require_public()
