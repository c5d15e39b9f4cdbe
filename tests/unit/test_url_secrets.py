"""A URL that becomes public opens nothing to whoever has it: what holds a secret is refused, what holds none is not."""

import pytest
from pydantic import ValidationError

from libs.common.url_secrets import secret_in
from libs.common.web_urls import SecretInUrlError, public_web_url
from services.evidence.sources.refusals import Reason, Refusal
from services.evidence.sources.rows import read_row
from services.issuer.catalogue.api import IssuerRequest
from tests.unit.test_evidence_rows import GOOD, TODAY

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
X = "https://x.example"
RANDOM = "vX3kQ9mZ2pL7wR4t" + "Y8nB5cD1fG6hJ0sA"
UUID = "6f4e7b4e-0e2b-4a9e-8d75-8d1b9c2f7a01"

SECRET = [
    f"{X}/a?token=abc123", f"{X}/a?access_token=abc", f"{X}/a?x=1&Access-Token=abc", f"{X}/a?sig=aGVsbG8%3D",
    f"{X}/a?signature=0a1b2c", f"{X}/a?api_key=abc", f"{X}/a?apikey=abc", f"{X}/a?auth=abc", f"{X}/a?password=raft",
    f"{X}/a?id_token={JWT}", f"{X}/a?share_token=abc", f"{X}/a?client_secret=abc", f"{X}/a;jsessionid=0A1B2C",
    f"{X}/a?PHPSESSID=abc", f"{X}/a#access_token=abc&token_type=bearer", f"{X}/#/view?token=abc",
    f"{X}/a?x=1&amp;token=abc", f"{X}/a?%74oken=abc", f"{X}/a?x={JWT}", f"{X}/{JWT}", f"{X}/a#{JWT}",
    f"{X}/a?next=https%3A%2F%2Fy.example%2F%3Ftoken%3Dabc", f"{X}/token/Ab3Cd4Ef5Gh6/work",
    f"{X}/a?key=AIzaSyA1234567890abcdefghijklmnopqrstuv", f"{X}/a?key=9f8a7b6c5d4e", f"{X}/a?code=4/0AX4XfWhQ2x3Yz9",
    f"{X}/a?session=6f4e7b4e-0e2b-4a9e-8d75-8d1b9c2f7a01", f"{X}/a?k=ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "https://bucket.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F2026&X-Amz-Expires=60",
    "https://bucket.s3.amazonaws.com/k?AWSAccessKeyId=AKIA&Expires=1&Signature=abc",
    "https://storage.googleapis.com/b/o?X-Goog-Signature=0a1b&X-Goog-Date=20260309T000000Z",
    "https://a.blob.core.windows.net/c/b?sv=2022-11-02&se=2026-12-01&sp=r&sig=abc",
    "https://d1.cloudfront.net/a?Expires=1&Signature=abc&Key-Pair-Id=K2",
    "https://school.sharepoint.com/:w:/s/year7/EaBcDeF0123?e=4AbCdE", "https://school.sharepoint.com/:b:/g/personal/x/E1",
    "https://school-my.sharepoint.com/personal/ms_pike/Documents/raft.pdf?e=AbCdEf", "https://1drv.ms/b/s!Aabc",
    "https://onedrive.live.com/?authkey=%21AbC&id=9F%21107", "https://www.dropbox.com/scl/fi/abc/raft.pdf?rlkey=x1y2&dl=0",
    "https://drive.google.com/file/d/1a2b/view?resourcekey=0-abc", "https://zoom.us/rec/share/abc?pwd=hello",
    "https://vimeo.com/123456789/0a1b2c3d4e", "https://player.vimeo.com/video/1234?h=0a1b2c3d4e", "https://mega.nz/file/a#b",
    f"{X}/share/{RANDOM}", f"{X}/s/{RANDOM[:15]}", f"{X}/shared/{UUID}/view", f"{X}/a?t={RANDOM}", f"{X}/a?q={RANDOM}",
    f"{X}/a?{RANDOM}", f"{X}/a?{RANDOM}#top", f"{X}/a#tok=abc", f"{X}/a#{RANDOM}", f"{X}/#/{RANDOM}",
    f"{X}/a;jsession=0A1B2C", f"{X}/a;s={RANDOM}?x=1", f"{X}/a?pin=1234", f"{X}/a?passwort=abc",
    f"{X}/a?u=user%3Ahello@y", f"{X}/a?u=https%3A%2F%2Fuser%3Ahello%40y.example%2F",
    f"{X}/a?0a1b2c3d4e5f60718293a4b5c6",
    "https://hooks.slack.com/services/T0/B0/abc", "https://discord.com/api/webhooks/1/abc",
    "https://school.webhook.office.com/webhookb2/abc", "https://www.dropbox.com/s/abc/raft.pdf?dl=0",
    "https://www.canva.com/design/DAF0aB1cD2e/x9Y8z7W6v5U4t3S2r1Q0/view", "https://photos.app.goo.gl/AbCdEf",
    "https://excalidraw.com/#json=abc,def", "https://calendar.google.com/calendar/ical/x/private-0a1b2c3d4e5f6071/a.ics",
    f"{X}/a?access_code=hunter2", f"{X}/a?pw=hunter2", f"{X}/a?tkn=abcDEF123456", f"{X}/a?AccessCode=hunter2",
    f"{X}/a?meeting_pwd=hunter2", f"{X}/a?upload-tkn=x1", f"{X}/a?pswd=hunter2", f"{X}/a?invite_code=x1",
    f"{X}/pw/Ab3Cd4Ef5Gh6/a", "https://t.me/+AbCdEfGh", "https://t.me/joinchat/AbCdEfGh", "https://telegram.me/+AbCdEfGh",
    "https://us02web.zoom.us/rec/share/abcDEFghi123_-Kdj38dk", "https://zoom.us/rec/play/abcDEFghi123",
    "https://mega.co.nz/#!abc!key", "https://www.icloud.com/sharedalbum/#B0abcDEF123",
    "https://www.icloud.com/sharedalbum/en-au/#B0abcDEF123", "https://www.icloud.com/photos/#0abcDEF123",
    "https://www.icloud.com/iclouddrive/0abcDEF#raft", "https://photos.google.com/share/AF1Qip", "https://signal.group/#CjQ",
    "https://classroom.google.com/c/NzE2?cjc=abc123x", "https://teams.microsoft.com/l/meetup-join/19%3ameeting_abc",
    f"{X}/a?mdp=hunter2", f"{X}/a?senha=hunter2", f"{X}/a?clave=x", f"{X}/a?contrase%C3%B1a=x", f"{X}/a?unlock=hunter2",
    f"{X}/v.m3u8?hdnea=exp=1~acl=/*~hmac=ab", f"{X}/a?verify=1700000000-aB3dE5fG7hJ9kL1", f"{X}/a?md5=9f8a7b6c5d4e3f2a",
    "https://docs.google.com/forms/d/e/1FA/viewform?edit2=2_ABaOnufXYZ", "https://trello.com/invite/b/AbCd1234/ATTI01",
    "https://cdn.discordapp.com/attachments/1/2/a.png?ex=65&is=65&hm=ab12cd34ef56ab78", "https://loom.com/share/0123456789",
    "https://join.slack.com/t/year7/shared_invite/zt-abc", "https://drive.proton.me/urls/ABC#x", "https://app.box.com/s/x1y2",
]  # fmt: skip

HARMLESS = [
    f"{X}/a?verify=true", f"{X}/a?p=1234", f"{X}/a?p=hello-world", f"{X}/watch?t=43s", f"{X}/a?t=term2",
    f"{X}/a?md5=no",
    X, f"{X}/", f"{X}/a?id=42&page=2", f"{X}/a?key=history", f"{X}/a?code=MATH101", f"{X}/a?code=AC9M7N01",
    f"{X}/a?session=2026-term-1", f"{X}/a?session=2", f"{X}/a?key=Year7Term2Week5A", f"{X}/a?token=", f"{X}/a?sig=1",
    f"{X}/a?id=6f4e7b4e-0e2b-4a9e-8d75-8d1b9c2f7a01", f"{X}/a?page_token=CAUQAA", f"{X}/a?e=4AbCdE", f"{X}/a?h=12",
    f"{X}/tokens/and-keys", f"{X}/a/token/about", f"{X}/keys/piano?author=Pike", f"{X}/a?signature_dish=laksa",
    f"{X}/a?authority=nsw&passage=3&signal=low&keyword=raft&codec=h264", f"{X}/a#section-2", f"{X}/a#cite_note-12",
    f"{X}/verify/ABCDE12345", f"{X}/a?gclid=Cj0KCQiA1rSsBhDHARIsANB4EJYxyz&utm_source=mail&fbclid=IwAR0aB1cD2eF3",
    "https://docs.google.com/document/d/1a2B3cD4eF5gH6iJ7kL8mN9oP0qR/edit?usp=sharing#heading=h.abc123",
    "https://drive.google.com/open?id=1a2B3cD4eF5gH6iJ7kL8mN9oP0qR", "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=42s",
    "https://youtu.be/dQw4w9WgXcQ?si=0aB1cD2eF3gH4iJ5", "https://vimeo.com/123456789", "https://mega.nz/",
    "https://school.sharepoint.com/sites/year7/SitePages/Raft.aspx?web=1",
    "https://school.sharepoint.com/:w:/r/sites/year7/raft.docx?d=w0a1b&csf=1&web=1&e=AbCdEf",
    "https://www.notion.so/Raft-0a1b2c3d4e5f60718293a4b5c6d7e8f9#0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "https://portfolio.school.example/raft?from=2026-03-09T10:00:00Z&class=7B", "https://notsharepoint.com/:w:/s/a",
    f"{X}/share/how-we-built-the-raft-in-term-2", f"{X}/s/year-7", f"{X}/a?t=30", f"{X}/a?t=1h02m03s",
    f"{X}/a?q=how+do+rafts+float", f"{X}/a?how-do-rafts-float-in-salt-water", f"{X}/a?1773014400", f"{X}/logo.svg?v=3",
    f"{X}/a#what-we-learned-about-buoyancy-in-week-5", f"{X}/a#Archimedes_principle_and_displacement",
    f"{X}/a?pin=map", f"{X}/pin/1234", f"{X}/a?u=mailto:x%40y.example", f"{X}/a?at=12:30", f"{X}/a#t=30,45",
    f"{X}/a#:~:text=the%20raft%20floats", f"{X}/year-7/2026-03-09/{RANDOM}", f"{X}/{UUID}/raft.pdf",
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=30", "https://www.youtube.com/shorts/dQw4w9WgXcQ",
    "https://www.google.com/url?q=https%3A%2F%2Fdocs.google.com%2Fdocument%2Fd%2F1a2B3cD4eF5gH6iJ7kL8mN9oP0qR%2Fedit",
    "https://www.google.com/maps/place/Raft/@-33.8567844,151.213108,17z", "https://www.dropbox.com/features",
    f"https://school.sharepoint.com/:w:/r/sites/y7/raft.docx?d=w{UUID.replace('-', '')}&csf=1&web=1",
    "https://www.canva.com/design/DAF0aB1cD2e/view", "https://discord.com/safety", "https://medium.com/@pike/raft",
    "https://docs.google.com/presentation/d/1a2B3cD4eF5gH6iJ7kL8mN9oP0qR/edit#slide=id.g1a2b3c4d5e6_0_12",
    f"{X}/a?pwr=12&tk-tk=1&classcode=7B&postcode=2000&coursecode=MATH101", f"{X}/a?pw=", f"{X}/pw/about",
    f"{X}/tkn/raft",
    "https://t.me/wattlegrovehigh", "https://t.me/s/wattlegrovehigh", "https://zoom.us/rec/about", "https://zoom.us/j/123",
    "https://mega.co.nz/", "https://www.icloud.com/", "https://www.icloud.com/photos/", "https://www.icloud.com/keynote",
    "https://photos.google.com/", "https://teams.microsoft.com/", "https://www.box.com/education", "https://signal.org/#x",
]  # fmt: skip


@pytest.mark.parametrize("url", SECRET)
def test_a_url_with_a_secret_is_refused_and_no_value_of_it_is_repeated(url: str) -> None:
    with pytest.raises(SecretInUrlError) as refused:
        public_web_url(url)
    for value in ("abc", "aGVsbG8", "AIzaSy", "raft", "hello", "eyJ"):
        assert value not in str(refused.value)


@pytest.mark.parametrize("url", HARMLESS)
def test_a_url_without_a_secret_is_taken_as_it_is(url: str) -> None:
    assert public_web_url(url) == url
    assert secret_in(url) is None


def test_a_row_whose_link_holds_a_secret_is_refused_with_a_code_of_its_own() -> None:
    refused = read_row({**GOOD, "link": "HTTPS://Portfolio.School.example/a?Token=hush"}, TODAY)
    assert isinstance(refused, Refusal)
    assert (refused.reason, refused.column) == (Reason.LINK_SECRET, "link")
    assert "hush" not in refused.message


@pytest.mark.parametrize("field", ["url", "logo"])
def test_a_profile_holds_no_url_with_a_secret(field: str) -> None:
    with pytest.raises(ValidationError, match="a URL that anybody may have"):
        IssuerRequest.model_validate({"id": "wattle", "name": "Wattle", field: f"{X}/logo.svg?sig=abc"})
