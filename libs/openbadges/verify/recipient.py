"""The stage `recipient`: is it about the person whom the verifier has in mind, by the subject's id or identifiers?"""

import hashlib
import hmac
import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any, Final

from libs.openbadges.model.datamodel.forms import is_url
from libs.openbadges.model.findings import Finding
from libs.openbadges.verify.run import Context

MOST_IDENTIFIERS: Final = 100
"""Identifiers of a subject that are compared."""

_HASH: Final = "sha256$"
_EMAIL: Final = "emailAddress"
_WORDS: Final = re.compile(r"[^\W\d_]+")
# As programs write an address beside a name, and as a link.
_NAMED: Final = re.compile(r"[^<>]*<([^<>\s]+@[^<>\s]+)>")
_MAILTO: Final = re.compile(r"mailto:([^?\s]+@[^?\s]+)(?:\?\S*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom the verifier has in mind; known to it from elsewhere, and in no report.

    Attributes:
        value: an id (`did:…`, `urn:…`) or an identifier such as an e-mail address, in plain text.
        kind: of which type the identifier is (Open Badges 3.0, IdentifierTypeEnum); None compares with the id and
            with identifiers of every type.
    """

    value: str = field(repr=False)
    kind: str | None = None


def check_recipient(context: Context, asked: Recipient) -> Finding:
    """Compare a credential's subject with the person asked about (Open Badges 3.0, verify the recipient).

    Every comparison takes the same time, and all are made. An e-mail address is compared in the capitals that people
    write it in, since no mail server that is known tells them apart, and without what surrounds it where it was copied
    (a name, `mailto:`, invisible characters); of other texts, letters count as they are written. A subject that is
    identified in other ways than the one asked about may be that person or another, so that is unknown.
    """
    subject = context.document.get("credentialSubject")
    subjects = [one for one in (subject if isinstance(subject, list) else [subject]) if isinstance(one, dict)]
    identifiers = [identifier for one in subjects for identifier in _identifiers(one)]
    by_id = asked.kind is None and is_url(asked.value)
    ids = [one["id"] for one in subjects if isinstance(one.get("id"), str)][:MOST_IDENTIFIERS] if by_id else []
    comparable = [one for one in identifiers[:MOST_IDENTIFIERS] if _is_of_kind(one, asked.kind)]
    answers: list[bool | None] = [_same(one, asked.value) for one in ids]
    answers += [_matches_any(one, _spellings(asked)) for one in comparable]
    if True in answers:
        return Finding("pass", "recipient", "It is about the person who was asked about.")
    if len(identifiers) > MOST_IDENTIFIERS:
        return Finding("unknown", "too_many_identifiers", f"More than {MOST_IDENTIFIERS} identifiers are not compared.")
    if None in answers:
        return Finding("unknown", "recipient_unread", "It identifies its subject in a way that is not read here.")
    if not answers:
        return Finding("unknown", "recipient_unnamed", "It does not identify its subject in the way asked about.")
    return Finding("fail", "recipient_mismatch", "It is about somebody else than the person who was asked about.")


def _is_of_kind(identifier: Any, kind: str | None) -> bool:
    """Return whether an identifier is of the type asked about; one that cannot be read may be of any."""
    return kind is None or not isinstance(identifier, dict) or identifier.get("identityType") == kind


def _identifiers(subject: dict[str, Any]) -> list[Any]:
    """Return a subject's identifiers, at most one more than are compared."""
    given = subject.get("identifier", [])
    return given[: MOST_IDENTIFIERS + 1] if isinstance(given, list) else [given]


def _spellings(asked: Recipient) -> list[str]:
    """Return the ways in which what was asked about may be written: a hash is that of one of them."""
    text = _bare(asked.value)
    local, at, domain = text.rpartition("@")
    if not local or asked.kind not in (None, _EMAIL) or any(one.isspace() for one in text):
        return [asked.value]
    capitalised = _WORDS.sub(lambda word: word[0].capitalize(), local)
    written = [f"{one}{at}{other}" for one in _cases(local, capitalised) for other in _cases(domain, domain.title())]
    return list(dict.fromkeys([asked.value, text, *written]))


def _bare(text: str) -> str:
    """Return an e-mail address without what surrounds it where it was copied; another text without space around it."""
    shown = "".join(one for one in unicodedata.normalize("NFKC", text) if unicodedata.category(one) != "Cf").strip()
    address = _NAMED.fullmatch(shown) or _MAILTO.fullmatch(shown)
    return address[1] if address else shown if "@" in shown else text.strip()


def _cases(text: str, capitalised: str) -> list[str]:
    return [text, text.lower(), text.upper(), capitalised, text.capitalize()]


def _matches_any(identifier: Any, spellings: list[str]) -> bool | None:
    """Compare with one IdentityObject in each spelling; see `_matches`."""
    answers = [_matches(identifier, one) for one in spellings]
    if len(spellings) > 1 and isinstance(identifier, dict) and identifier.get("hashed") is False:
        stated = identifier.get("identityHash")
        answers += [_same(_bare(stated).lower(), _bare(spellings[0]).lower())] if isinstance(stated, str) else []
    return None if None in answers else True in answers


def _matches(identifier: Any, asked: str) -> bool | None:
    """Compare with one IdentityObject; None for one that is not read (MD5, which proves nothing, is not)."""
    if not isinstance(identifier, dict) or not isinstance(identifier.get("identityHash"), str):
        return None
    stated, salt, hashed = identifier["identityHash"], identifier.get("salt", ""), identifier.get("hashed")
    if hashed is False:
        return _same(stated, asked)
    if hashed is not True or not isinstance(salt, str) or not stated.startswith(_HASH):
        return None
    digest = hashlib.sha256((asked + salt).encode("utf-8", "surrogatepass")).hexdigest()
    return _same(stated.lower(), f"{_HASH}{digest}")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
