"""Writes the mail: text and HTML with the badge's picture, as bytes ready for SMTP (RFC 5322, RFC 2045 to 2049).

The library's classes take several milliseconds for a mail of three parts, which at hundreds of mails a second is the
whole machine. A mail's structure never varies, so they write it once, with placeholders, and each mail fills these in.
"""

import binascii
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache
from uuid import UUID

import css_inline
from jinja2 import BaseLoader, DictLoader, Environment, PackageLoader, StrictUndefined

from libs.common.addresses import Address
from libs.common.text import UNSEEN
from libs.contracts.results import SoloLevel
from libs.openbadges.issue.achievements import number_text
from libs.openbadges.pictures.description import Depiction, level_words, own_name
from services.notifier.catalogue.repository import AchievementText
from services.notifier.channels.email.links import without_links
from services.notifier.channels.email.picture import SIZE, picture_alt
from services.notifier.occasion import Occasion

_LONGEST_NAME = 80
_TEMPLATES = {Occasion.ISSUED: "issued", Occasion.REVOKED: "closed", Occasion.TAKEN_DOWN: "closed"}
_SUBJECTS = {
    Occasion.ISSUED: "Your badge",
    Occasion.REVOKED: "Your badge was taken back",
    Occasion.TAKEN_DOWN: "Your badge was taken down",
}
# Plain words: nothing that means something in a header field, and no '=?' of an encoded word.
_PLAIN = re.compile(r"[A-Za-z0-9 .,:'!()&/_-]+")
# What turns the direction of the text around it (Unicode Standard Annex 9), and what breaks lines without being a
# control character. Joiners stay: Persian and Sinhala names are spelt with them.
_TURNS_OR_BREAKS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029\ufeff"
)


def one_line(text: str, longest: int = _LONGEST_NAME) -> str:
    """A name as it may stand in a header or a sentence: one line, nothing invisible that turns text around.

    Anything cut is cut at `longest` characters and shows an ellipsis.
    """
    kept = "".join(
        " " if each in _TURNS_OR_BREAKS or unicodedata.category(each) in {"Cc", "Cs", "Co", "Cn"} else each
        for each in text[: longest * 4]
        if each in _TURNS_OR_BREAKS or each not in UNSEEN
    )
    line = " ".join(unicodedata.normalize("NFC", kept).split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


@dataclass(frozen=True, slots=True)
class EmailMessage:
    """All that one mail says.

    Attributes:
        score: of 100; None where a level was shown.
        department_name: of whom the issuer is a school; None for one that is of nobody.
        reply_to: where the issuer answers questions; None where it names no address.
        why: a sentence on why the badge was revoked or taken down; may be empty.
        replaces: whether the badge takes the place of one that the learner was told of.
        sending: how often somebody asked for this mail to be sent again.
    """

    delivery_id: UUID
    to: Address
    learner_name: str | None
    issuer_name: str
    achievement: AchievementText
    level: SoloLevel | None
    page_url: str
    download_url: str
    written_at: datetime
    score: float | None = None
    department_name: str | None = None
    reply_to: Address | None = None
    occasion: Occasion = Occasion.ISSUED
    why: str = ""
    replaces: bool = False
    sending: int = 0

    @property
    def depiction(self) -> Depiction:
        """What the badge's picture shows: the names as they stand in the credential, whatever their length."""
        return Depiction(self.achievement.name, self.issuer_name, self.level, self.own_level_name)

    @property
    def own_level_name(self) -> str:
        """What the achievement's author calls the level; empty where that is as the taxonomy does."""
        text = None if self.level is None else self.achievement.levels.get(self.level)
        return "" if text is None else own_name(self.level, text.name)


class EmailRenderer:
    """Writes messages from one sender."""

    def __init__(self, mail_from: Address) -> None:
        self._mail_from = mail_from
        texts = _environment(PackageLoader("services.notifier.channels.email"), autoescape=False)
        self._texts = {each: texts.get_template(f"{each}.txt") for each in _TEMPLATES.values()}
        pages = _environment(DictLoader({each: _inlined(each) for each in _TEMPLATES.values()}), autoescape=True)
        self._pages = {each: pages.get_template(each) for each in _TEMPLATES.values()}
        self._structures = {each: _structure(with_picture=each) for each in (False, True)}

    def message_id(self, delivery_id: UUID, sending: int = 0) -> str:
        """The same for every attempt, so that a receiving system recognises a repeat; another one if sent again."""
        return f"<{delivery_id}{f'.{sending}' if sending else ''}@{self._mail_from.domain}>"

    def render(self, message: EmailMessage, picture: bytes | None) -> bytes:
        """The whole mail, lines ended by CRLF, ASCII only except for a recipient's address that is not.

        Args:
            message: what it says.
            picture: the badge's PNG in base64; without it, its words stand in its place.
        """
        issuer = _name(message.issuer_name) or "Your school"
        achievement = _name(message.achievement.name) or "a badge"
        subject = f"{_SUBJECTS[message.occasion]}: {achievement}"
        words = self._words(message, issuer, achievement, subject) | {"has_picture": picture is not None}
        head = [
            _from_field(issuer, self._mail_from),
            _to_field(_name(message.learner_name or ""), message.to),
            _reply_to_field(issuer, message.reply_to),
            _subject_field(subject),
            f"Date: {format_datetime(message.written_at)}\r\n".encode(),
            f"Message-ID: {self.message_id(message.delivery_id, message.sending)}\r\n".encode(),
            # RFC 3834: out-of-office replies to a machine help nobody.
            b"Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\n",
        ]
        template = _TEMPLATES[message.occasion]
        values = {
            b"text": _quoted_printable(self._texts[template].render(words)),
            b"html": _quoted_printable(self._pages[template].render(words)),
            b"picture": picture or b"",
            b"picture_id": _picture_id(message.delivery_id).encode(),
        }
        return b"".join(head) + _fill(self._structures[picture is not None], values)

    def _words(self, message: EmailMessage, issuer: str, achievement: str, subject: str) -> dict[str, object]:
        level = message.level
        named = "" if level is None else _name(level_words(level, message.own_level_name)) or level.label
        return {
            "subject": subject,
            "learner": _name(message.learner_name or ""),
            "achievement": achievement,
            "issuer": issuer,
            "level": level,
            "level_name": named,
            "score": None if message.score is None else number_text(message.score),
            # Of a level its text tells too what is not shown yet, which is for the page.
            "shown": without_links(one_line(message.achievement.description, 1000)),
            "department": _name(message.department_name or ""),
            "can_reply": message.reply_to is not None,
            "taken_down": message.occasion is Occasion.TAKEN_DOWN,
            "why": message.why,
            "replaces": message.replaces,
            "page_url": message.page_url,
            "download_url": message.download_url,
            "picture_id": _picture_id(message.delivery_id),
            "picture_size": SIZE,
            "picture_alt": picture_alt(achievement, issuer, level, named),
        }


def _name(text: str) -> str:
    """A name as a header or a sentence shows it: in one line, and nothing that could be clicked."""
    return without_links(one_line(text))


def _inlined(template: str) -> str:
    """Return a page with its styles inlined: once, for each mail it would take longer than everything else."""
    files = PackageLoader("services.notifier.channels.email")
    environment = Environment(autoescape=True)
    html, style = (files.get_source(environment, name)[0] for name in (f"{template}.html", "style.css"))
    inliner = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=False)
    return inliner.inline(html.replace("@style@", style))


def _environment(loader: BaseLoader, *, autoescape: bool) -> Environment:
    return Environment(
        loader=loader,
        autoescape=autoescape,  # noqa: S701  # off for plain text alone, where &amp; would be read as it stands
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )


def _from_field(issuer: str, mail_from: Address) -> bytes:
    return f"From: {_phrase(f'{issuer} via Bowerbird')} <{mail_from}>\r\n".encode()


def _to_field(name: str, to: Address) -> bytes:
    """The address stands in the clear only where it is not ASCII, which SMTPUTF8 allows (RFC 6532)."""
    return (f"To: {_phrase(name)} <{to}>\r\n" if name else f"To: {to}\r\n").encode()


def _reply_to_field(issuer: str, address: Address | None) -> bytes:
    """The issuer's public address: what is answered to a machine's mail would reach nobody (RFC 5322, 3.6.2)."""
    return b"" if address is None else f"Reply-To: {_phrase(issuer)} <{address}>\r\n".encode()


def _subject_field(subject: str) -> bytes:
    return f"Subject: {subject if _PLAIN.fullmatch(subject) else _encoded(subject)}\r\n".encode()


@lru_cache(maxsize=4096)
def _phrase(name: str) -> str:
    """A display name: a quoted string where it is plain, else encoded words (RFC 2047)."""
    return f'"{name}"' if _PLAIN.fullmatch(name) else _encoded(name)


def _encoded(text: str) -> str:
    # Everything is encoded, so nothing of the text can be read as syntax. EmailMessage will not do here: it decodes
    # what looks like an encoded word in a name it is given, and writes the line breaks that come out of it.
    return Header(text, "utf-8", maxlinelen=70).encode(linesep="\r\n")


def _picture_id(delivery_id: UUID) -> str:
    return f"badge.{delivery_id.hex}"


def _structure(*, with_picture: bool) -> list[bytes]:
    """Return a mail's bytes cut at its placeholders: constant pieces, and between them the names of `_fill`'s values.

    No line of quoted-printable or base64 can be a boundary: these hold '=_', which neither encoding writes.
    """
    page = _part(MIMENonMultipart("text", "html", charset="utf-8"), "quoted-printable", "html")
    whole = MIMEMultipart("alternative", boundary="=_alternative")
    whole.attach(_part(MIMENonMultipart("text", "plain", charset="utf-8"), "quoted-printable", "text"))
    if with_picture:
        related = MIMEMultipart("related", boundary="=_related", type="text/html")
        picture = _part(MIMENonMultipart("image", "png", name="badge.png"), "base64", "picture")
        picture["Content-ID"] = "<@picture_id@>"
        picture["Content-Disposition"] = 'inline; filename="badge.png"'
        related.attach(page)
        related.attach(picture)
        page = related
    whole.attach(page)
    return re.split(rb"@(\w+)@", whole.as_bytes(policy=SMTP))


def _part(part: Message, encoding: str, placeholder: str) -> Message:
    del part["MIME-Version"]
    part["Content-Transfer-Encoding"] = encoding
    part.set_payload(f"@{placeholder}@")
    return part


def _fill(structure: list[bytes], values: dict[bytes, bytes]) -> bytes:
    return b"".join(values[piece] if number % 2 else piece for number, piece in enumerate(structure))


def _quoted_printable(text: str) -> bytes:
    return binascii.b2a_qp(text.replace("\n", "\r\n").encode(), istext=True)
