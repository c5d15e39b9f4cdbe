"""What POST /v1/verify was sent: a credential or the URL of a badge of ours, and whom it should be about."""

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import orjson

from libs.common.bodies import JSON
from libs.common.errors import InvalidRequestError
from libs.openbadges.model.older_badges import older_badge
from libs.openbadges.verify import Recipient

# Twice what the engine reads, so that a credential slightly too large is answered with a report that says so.
MOST_BYTES = 512 * 1024
# Those that badges are served with are among them; `application/vc` has no suffix that says JSON (Verifiable
# Credentials Data Model 2.0, section 6.1).
MEDIA_TYPES = (JSON, "application/ld+json", "application/vc+ld+json", "application/vc")
_LONGEST_RECIPIENT = 1_000
_DECODER = json.JSONDecoder()
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_HOW = (
    'send the credential itself, or {"credential": {…}}, or {"url": "…/badges/ID"} with the URL of a badge of ours;'
    ' "recipient" beside them asks whether it is about somebody'
)


@dataclass(frozen=True, slots=True)
class Submission:
    """Exactly one of a credential's text, as it was sent, and the id of a badge of ours.

    Attributes:
        recipient: whom it should be about; None where that was not asked.
    """

    text: bytes | None = None
    badge_id: UUID | None = None
    recipient: Recipient | None = None


def read_submission(body: bytes, public_base: str) -> Submission:
    """Return what was sent.

    Raises:
        InvalidRequestError: not JSON, none of the three forms, or a URL that is not a badge of ours.
    """
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError(f"the body is not JSON ({error.msg}, line {error.lineno}); {_HOW}") from None
    if not isinstance(sent, dict):
        raise InvalidRequestError(f"the body is not a JSON object; {_HOW}")
    if "@context" in sent or "credentialSubject" in sent or older_badge(sent) is not None:
        return Submission(text=body)
    recipient = _recipient(sent.pop("recipient")) if "recipient" in sent else None
    if set(sent) == {"credential"}:
        if not isinstance(sent["credential"], dict):
            raise InvalidRequestError(
                f"`credential` is not a JSON object; {_HOW}", [{"field": "credential", "reason": "not an object"}]
            )
        text = _only_value(body) if recipient is None else _value_of(body, "credential")
        return Submission(text=text, recipient=recipient)
    if set(sent) == {"url"}:
        return Submission(badge_id=badge_id_of(sent["url"], public_base), recipient=recipient)
    raise InvalidRequestError(f"this is none of the forms that can be verified; {_HOW}")


def badge_id_of(url: Any, public_base: str) -> UUID:
    """The id of the badge that a URL of ours stands for; query and fragment do not matter.

    Raises:
        InvalidRequestError: not such a URL.
    """
    try:
        sent, ours = urlsplit(url if isinstance(url, str) else ""), urlsplit(public_base)
    except ValueError:
        sent, ours = urlsplit(""), urlsplit(public_base)
    start = f"{ours.path}/badges/"
    name = sent.path.removeprefix(start).removesuffix("/credential.json").rstrip("/")
    same_place = (sent.scheme.lower(), sent.netloc.lower()) == (ours.scheme.lower(), ours.netloc.lower())
    if not same_place or not sent.path.startswith(start) or not _UUID.fullmatch(name):
        raise InvalidRequestError(
            f"`url` is not the URL of a badge of ours ({public_base}/badges/ID). Nothing is fetched from other "
            'URLs: download that credential and send it as {"credential": {…}}',
            [{"field": "url", "reason": "not a badge of ours"}],
        )
    return UUID(name)


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
