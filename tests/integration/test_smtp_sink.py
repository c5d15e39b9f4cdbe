"""The mail sink over real SMTP: a mail is on the disk before 250, and it misbehaves as told."""

import email.message
import os
import smtplib
from collections.abc import Iterator
from pathlib import Path

import aiosmtpd.smtp
import pytest

from deploy.embedded.layout import HOST
from deploy.embedded.smtp_sink import CONTROL, Faults
from deploy.embedded.stack import Stack

pytestmark = pytest.mark.integration
PORT_OFFSET = int(os.environ.get("TEST_PORT_OFFSET", "500")) + 300


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("sink") / "var", PORT_OFFSET) as stack:
        stack.start("smtp")
        yield stack


@pytest.fixture
def client(sink: Stack) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP(HOST, sink.layout.port("smtp"), timeout=3) as connected:
        yield connected
        (sink.layout.mail / CONTROL).unlink(missing_ok=True)


def mail(name: str, text: str = "Hello.\n", to: str = "ada@school.example") -> email.message.EmailMessage:
    message = email.message.EmailMessage()
    message["Message-ID"], message["From"], message["To"] = f"<{name}@x.example>", "badges@x.example", to
    message.set_content(text)
    return message


def kept(sink: Stack, name: str) -> list[str]:
    return sorted(path.name for path in sink.layout.mail.glob(f"{name}@*.eml"))


def faults(sink: Stack, wanted: Faults) -> None:
    wanted.write(sink.layout.mail / CONTROL)


def test_a_mail_with_lines_of_dots_is_kept_as_it_was_sent(sink: Stack, client: smtplib.SMTP) -> None:
    lines = [b"Message-ID: <dots@x.example>", b"", b".", b"..", b"A sentence.", b".hidden", b"x" * 900, b".", b""]
    raw = b"\r\n".join(lines)
    client.sendmail("a@x.example", ["b@x.example"], raw)
    [name] = kept(sink, "dots")
    assert (sink.layout.mail / name).read_bytes() == raw


def test_an_empty_mail_and_many_on_one_connection_are_taken(sink: Stack, client: smtplib.SMTP) -> None:
    client.sendmail("a@x.example", ["b@x.example"], b"")
    for number in range(50):
        client.send_message(mail(f"many-{number}"))
    assert len(list(sink.layout.mail.glob("many-*.eml"))) == 50


def test_a_mail_of_several_megabytes_is_taken_and_a_huge_one_is_not(sink: Stack, client: smtplib.SMTP) -> None:
    line = "y" * 70 + "\n"
    client.send_message(mail("large", line * 50_000))
    assert kept(sink, "large")
    with pytest.raises((smtplib.SMTPException, OSError)):
        client.send_message(mail("huge", line * 300_000))
    assert not kept(sink, "huge")


def test_a_domain_is_refused_with_the_reply_that_was_asked_for(sink: Stack, client: smtplib.SMTP) -> None:
    faults(sink, Faults(refuse={"gone.example": "550 no such user", "full.example": "452 mailbox full"}))
    for domain, code in (("gone.example", 550), ("full.example", 452)):
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            client.send_message(mail("refused", to=f"a@{domain}"))
        assert refused.value.recipients[f"a@{domain}"][0] == code
    client.send_message(mail("other-domain"))
    assert kept(sink, "other-domain")


def test_a_connection_dropped_before_the_mail_keeps_nothing(sink: Stack, client: smtplib.SMTP) -> None:
    faults(sink, Faults(drop="before"))
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        client.send_message(mail("before"))
    assert kept(sink, "before") == []


def test_a_connection_dropped_after_the_mail_shows_the_next_offer_as_a_repeat(
    sink: Stack, client: smtplib.SMTP
) -> None:
    faults(sink, Faults(drop="after"))
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        client.send_message(mail("after"))
    (sink.layout.mail / CONTROL).unlink()
    with smtplib.SMTP(HOST, sink.layout.port("smtp"), timeout=3) as again:
        again.send_message(mail("after"))
    assert kept(sink, "after") == ["after@x.example.eml", "after@x.example.repeat-1.eml"]


def test_a_sink_that_hangs_outlasts_the_client(sink: Stack, client: smtplib.SMTP) -> None:
    faults(sink, Faults(hang=20))
    with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected), match="timed out"):
        client.send_message(mail("hung"))


def test_mails_survive_sigkill_of_the_sink(sink: Stack, client: smtplib.SMTP) -> None:
    client.send_message(mail("survivor"))
    sink.restart("smtp")
    assert kept(sink, "survivor")
    assert not [path for path in sink.layout.mail.iterdir() if path.name.startswith(".survivor")]


def test_what_the_sink_leans_on_in_the_library_is_there() -> None:
    for name in ("_call_handler_hook", "_set_post_data_state"):
        assert callable(getattr(aiosmtpd.smtp.SMTP, name))
    source = Path(aiosmtpd.smtp.__file__).read_text(encoding="utf-8")
    assert "limit=self.line_length_limit" in source
