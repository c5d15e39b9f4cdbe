"""What is to be verified: a credential in any form or the URL of a badge of ours, and whom it should be about."""

import codecs
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import orjson

from libs.common.errors import InvalidRequestError, TooLargeError
from libs.common.media_types import JSON, essence, is_json
from libs.openbadges.jose.compact import as_compact
from libs.openbadges.model.older_badges import older_badge
from libs.openbadges.verify import Recipient

# Twice what the engine reads, so that a credential slightly too large is answered with a report that says so.
MOST_BYTES = 512 * 1024
# A question about a badge of ours, with the longest recipient: what is so small is read at once, and asks no worker.
MOST_QUESTION_BYTES = 16 * 1024
# Less than the engine reads: many bodies are held at a time, and a badge's picture has a tenth of it.
MOST_PICTURE_BYTES = 4 * 1024 * 1024
# Those that badges are served with are among them; `application/vc` has no suffix that says JSON (Verifiable
# Credentials Data Model 2.0, section 6.1).
JSON_TYPES = (JSON, "application/ld+json", "application/vc+ld+json", "application/vc")
# Taken as `bowerbird verify` takes a file: what it is, its first bytes tell.
FILE_TYPES = (
    "image/png",
    "image/svg+xml",
    "application/vc+jwt",
    "application/jwt",
    "application/jose",
    "application/octet-stream",
    "text/plain",
    "application/pdf",
    # No credential can stand in these; the report says what they are, and what to hand in instead.
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/heic",
    "image/avif",
)
MEDIA_TYPES = (*JSON_TYPES, *FILE_TYPES)
_LONGEST_RECIPIENT = 1_000
# More than a badge of ours has, with whatever a query or a fragment may say.
_LONGEST_URL = 2_000
_DECODER = json.JSONDecoder()
_UUID = re.compile(r"(?i:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
# What stands below a badge's URL is of the same badge.
_BADGE = re.compile(rf"({_UUID.pattern})(?:/(?:credential\.json|image\.svg|image\.png|card\.png|qr\.svg)?/*)?")
_HOW = (
    'send the credential itself, or {"credential": {…}}, or {"url": "…/badges/ID"} with the URL of a badge of ours;'
    " a JWT or a picture under its own media type, or a JWT as text in place of the credential;"
    ' "recipient" beside them asks whether it is about somebody'
)


@dataclass(frozen=True, slots=True)
class Submission:
    """Exactly one of a credential or picture, as it was sent, and the id of a badge of ours.

    Attributes:
        recipient: whom it should be about; None where that was not asked.
    """

    text: bytes | None = None
    badge_id: UUID | None = None
    recipient: Recipient | None = None


def most_bytes(media_type: str) -> int:
    """Return how large a body of this Content-Type may be."""
    return MOST_BYTES if _is_json(media_type) else MOST_PICTURE_BYTES


def _is_json(media_type: str) -> bool:
    return is_json(media_type) or essence(media_type) in JSON_TYPES


def read_request(body: bytes, media_type: str, public_base: str) -> Submission:
    """Return what was sent.

    Args:
        body: as it was sent.
        media_type: the value of its Content-Type, one of `MEDIA_TYPES`.
        public_base: the base of our own URLs.

    Raises:
        TooLargeError: JSON of more than `MOST_BYTES`.
        InvalidRequestError: see `read_submission`; a body of no bytes.
    """
    if _is_json(media_type):
        if len(body) > MOST_BYTES:
            raise TooLargeError(f"send at most {MOST_BYTES} bytes of JSON")
        # A reader may ignore a byte order mark (RFC 8259, section 8.1).
        return read_submission(body.removeprefix(codecs.BOM_UTF8), public_base)
    if not body:
        raise InvalidRequestError(f"the body is empty; {_HOW}")
    return Submission(text=body)


def read_submission(body: bytes, public_base: str) -> Submission:
    """Return what was sent as JSON.

    Raises:
        InvalidRequestError: not JSON, none of the three forms, or a URL that is not a badge of ours.
    """
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError(
            f"what was sent is not JSON ({error.msg}, line {error.lineno}, column {error.colno}); {_HOW}"
        ) from None
    if not isinstance(sent, dict):
        raise InvalidRequestError(f"what was sent is not a JSON object; {_HOW}")
    if "@context" in sent or "credentialSubject" in sent or older_badge(sent) is not None:
        return Submission(text=body)
    recipient = _recipient(sent.pop("recipient")) if "recipient" in sent else None
    if set(sent) == {"credential"}:
        token = as_compact(sent["credential"]) if isinstance(sent["credential"], str) else None
        if token is None and not isinstance(sent["credential"], dict):
            raise InvalidRequestError(
                f"`credential` is neither a JSON object nor a JWT; {_HOW}",
                [{"field": "credential", "reason": "neither an object nor a JWT"}],
            )
        text = _only_value(body) if recipient is None else _value_of(body, "credential")
        return Submission(text=text if token is None else token.encode(), recipient=recipient)
    if set(sent) == {"url"}:
        return Submission(badge_id=badge_id_of(sent["url"], public_base), recipient=recipient)
    raise InvalidRequestError(f"this is none of the forms that can be verified; {_HOW}")


def badge_id_of(url: Any, public_base: str) -> UUID:
    """The id of the badge that a URL of ours stands for; query and fragment do not matter.

    Raises:
        InvalidRequestError: not such a URL.
    """
    text = url if isinstance(url, str) and len(url) <= _LONGEST_URL else ""
    try:
        sent, ours = urlsplit(text), urlsplit(public_base)
    except ValueError:
        sent, ours = urlsplit(""), urlsplit(public_base)
    start = f"{ours.path}/badges/"
    badge = _BADGE.fullmatch(sent.path.removeprefix(start))
    same_place = (sent.scheme.lower(), sent.netloc.lower()) == (ours.scheme.lower(), ours.netloc.lower())
    if not same_place or not sent.path.startswith(start) or badge is None:
        raise InvalidRequestError(
            f"`url` is not the URL of a badge of ours ({public_base}/badges/ID). Nothing is fetched from other "
            'URLs: download that credential and send it as {"credential": {…}}',
            [{"field": "url", "reason": "not a badge of ours"}],
        )
    return UUID(badge[1])


def _recipient(asked: Any) -> Recipient:
    """Whom the credential should be about: an id or identifier, or an identifier with its type.

    Raises:
        InvalidRequestError: another form.
    """
    given = asked if isinstance(asked, dict) else {"identifier": asked}
    texts = {"identifier", "identifierType"} & given.keys()
    if (
        "identifier" not in given
        or given.keys() - texts
        or not all(isinstance(given[one], str) and 0 < len(given[one]) <= _LONGEST_RECIPIENT for one in texts)
    ):
        raise InvalidRequestError(
            "`recipient` is an id or identifier as text, or an object with identifier and identifierType, such as "
            '{"identifier": "a@example.com", "identifierType": "emailAddress"}',
            [{"field": "recipient", "reason": f"not text of 1 to {_LONGEST_RECIPIENT} characters"}],
        )
    return Recipient(given["identifier"], given.get("identifierType"))


def parse_badge_id(text: str) -> UUID | None:
    """The UUID written in its one usual form, or None."""
    return UUID(text) if _UUID.fullmatch(text) else None


def _only_value(body: bytes) -> bytes:
    """The text of the one member's value as it was sent: parsed and written again, a key that stands twice were lost.

    The body was read as an object whose keys are all `credential`, so its first colon ends a key, and what stands
    from there to the last brace is one value, or more than one member.
    """
    text = body[body.index(b":") + 1 : body.rindex(b"}")].strip(b" \t\r\n")
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        raise InvalidRequestError(f"`credential` stands twice in the request; {_HOW}") from None
    return text


def _value_of(body: bytes, name: str) -> bytes:
    """The text of one member's value as it was sent, where there are others; see `_only_value`."""
    text = body.decode()
    found: list[str] = []
    place = text.index("{") + 1
    try:
        while (place := _past(text, place, ",")) < len(text) and text[place] != "}":
            key, place = _DECODER.raw_decode(text, place)
            start = _past(text, place, ":")
            _, place = _DECODER.raw_decode(text, start)
            found += [text[start:place]] if key == name else []
            if len(found) > 1:
                break
    except (ValueError, RecursionError):
        raise InvalidRequestError(f"the body is nested too deeply, or has a number that nobody reads; {_HOW}") from None
    if len(found) != 1:
        raise InvalidRequestError(f"`{name}` stands twice in the request; {_HOW}")
    return found[0].encode()


def _past(text: str, place: int, sign: str) -> int:
    """The place after any white space, and the sign if it stands there."""
    while place < len(text) and text[place] in f" \t\r\n{sign}":
        place += 1
    return place
