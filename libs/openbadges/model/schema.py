"""Validation against 1EdTech's official JSON Schemas: Open Badges 3.0, and an older edition of learner records."""

import marshal
from functools import lru_cache
from itertools import islice
from typing import Any, Final, NoReturn

import orjson
from jsonschema_rs import Draft4Validator, Draft201909Validator, RegexOptions

from libs.openbadges.model.bundled import BUNDLED
from libs.openbadges.model.context_urls import CREDENTIALS_V1, CREDENTIALS_V2
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.members import first_context, types_of

ACHIEVEMENT_SCHEMA: Final = (
    "https://purl.imsglobal.org/spec/ob/v3p0/schema/json/ob_v3p0_achievementcredential_schema.json"
)
RECORD_SCHEMA: Final = "https://purl.imsglobal.org/spec/clr/v2p0/schema/json/clr_v2p0_clrcredential_schema.json"
"""What is bundled under this name is a version of before CLR 2.0 was final: for VCDM 1.1, in draft-04."""

_MOST_ERRORS: Final = 100
"""Refusals by the schema that are looked at for the one that tells most."""

_VALUES_EXPLAINED: Final = 300
"""Values of which a refusal is explained: for each of them that is refused, the library holds up to 20 kB."""
_TEXT_EXPLAINED: Final = 2_000
"""Characters of each end of a longer text in it: the library copies a text once for each level that it stands in."""

_DATES: Final = {"validFrom": "issuanceDate", "validUntil": "expirationDate"}
_LISTS: Final = frozenset({"credentialSchema", "endorsement", "endorsementJwt", "identifier", "verifiableCredential"})

_achievement: Final = Draft201909Validator(
    orjson.loads(BUNDLED[ACHIEVEMENT_SCHEMA].text),
    validate_formats=True,
    offline=True,
    pattern_options=RegexOptions(),  # linear in the length of the text, whatever the text is
)
_record: Final = Draft4Validator(
    orjson.loads(BUNDLED[RECORD_SCHEMA].text), validate_formats=True, offline=True, pattern_options=RegexOptions()
)


def is_achievement(document: dict[str, Any]) -> bool:
    """Return whether a document says of itself that it is an Open Badge."""
    listed = types_of(document)
    return "AchievementCredential" in listed or "OpenBadgeCredential" in listed


# What differs from award to award, and where the schema takes any text (tests/unit/test_openbadges_issue.py).
_FREE: Final = (
    ("credentialSubject", ("id",)),
    ("credentialStatus", ("id", "statusListIndex")),
    ("image", ("id",)),
)
_REMEMBERED: Final = 512
_REMEMBERED_BYTES: Final = 32 * 1024


def validate_achievement(document: dict[str, Any]) -> None:
    """Validate an Open Badge (Open Badges 3.0, section on schema verification).

    Awards of one achievement differ in little, most of it where the schema takes any text. So what is validated is
    remembered without those texts, and one that differs in nothing else is known to be valid.

    Raises:
        CredentialError: code `schema`, with the path of the first value that the schema refuses; `not_json`, where the
            document holds what is no JSON value.
    """
    exact = form_of(document)
    if exact is not None and _holds(exact):
        return
    try:
        valid = _achievement.is_valid(document)
    except ValueError as error:
        raise CredentialError("not_json", f"The document does not hold JSON alone: {error}.") from error
    if not valid:
        _refuse(_achievement, document)


def form_of(document: dict[str, Any]) -> bytes | None:
    """Return all of a badge but the texts that differ from award to award; None of one that is not remembered.

    Those are its identifier and those of its subject, its status entry and its picture, and the index of the entry.
    """
    plain = {**document, "id": ""} if type(document.get("id")) is str else document.copy()
    for name, texts in _FREE:
        value = plain.get(name)
        if type(value) is dict:
            plain[name] = value | {text: "" for text in texts if type(value.get(text)) is str}
    try:
        # Unlike JSON, this keeps apart what only looks alike when it is written (a UUID from its text).
        exact = marshal.dumps(plain, 0)
    except ValueError:
        return None
    return exact if len(exact) <= _REMEMBERED_BYTES else None


@lru_cache(maxsize=_REMEMBERED)
def _holds(exact: bytes) -> bool:
    return _achievement.is_valid(marshal.loads(exact))  # noqa: S302  # written a line above, by us


def names_schema(document: dict[str, Any], url: str) -> bool:
    """Return whether a credential names a schema that it follows (VCDM 2.0, section 4.11), over http or https."""
    given = document.get("credentialSchema")
    named = [one.get("id") for one in (given if isinstance(given, list) else [given]) if isinstance(one, dict)]
    return any(isinstance(one, str) and one.strip().replace("http://", "https://", 1) == url for one in named)


def renewed(document: dict[str, Any]) -> dict[str, Any]:
    """Write an Open Badge of VCDM 1.1 as VCDM 2.0 names things, as the schema knows them; others stay as they are.

    Open Badges 3.0 names both data models (class AchievementCredential) and publishes one schema, for the newer.
    """
    if first_context(document) != CREDENTIALS_V1:
        return document
    names = {older: newer for newer, older in _DATES.items()}
    newer = {names.get(name, name): value for name, value in document.items()}
    contexts = newer["@context"]
    if isinstance(contexts, list):
        newer["@context"] = [CREDENTIALS_V2, *contexts[1:]]
    return newer


def validate_record(record: dict[str, Any]) -> None:
    """Validate a learner record against the older edition of its schema, with the dates under their older names.

    Only a refusal by both this and `documents.read_model` says that a record is wrong: the final edition may allow
    what this one does not. Credentials in an envelope of their own are left out; this edition knows none.

    Raises:
        CredentialError: code `schema_older`, with the path of the first value that the schema refuses.
    """
    older = _aged(record)
    subject = older.get("credentialSubject")
    if isinstance(subject, dict):
        held = _aged(subject).get("verifiableCredential", [])
        older["credentialSubject"] = {
            **_aged(subject),
            "verifiableCredential": [_aged(one) for one in held if isinstance(one, dict) and "issuer" in one],
        }
    if not _record.is_valid(older):
        _refuse(_record, older, "schema_older")


def _aged(document: dict[str, Any]) -> dict[str, Any]:
    """Write a document as VCDM 1.1 named things: other dates, a described issuer, one status, lists elsewhere."""
    older = {
        _DATES.get(name, name): [value] if name in _LISTS and not isinstance(value, list) else value
        for name, value in document.items()
    }
    if "credentialStatus" in older:
        # Its statuses are of a kind of before Bitstring Status List, with nothing but these two.
        entries = older["credentialStatus"]
        first = entries[0] if isinstance(entries, list) and entries else entries
        older["credentialStatus"] = (
            {name: first[name] for name in ("id", "type") if name in first} if isinstance(first, dict) else first
        )
    if isinstance(older.get("issuer"), str):
        older["issuer"] = {"id": older["issuer"], "type": ["Profile"]}
    return older


def _refuse(schema: Draft4Validator | Draft201909Validator, document: dict[str, Any], code: str = "schema") -> NoReturn:
    excerpt = _excerpt(document, [_VALUES_EXPLAINED])
    errors = islice(schema.iter_errors(excerpt), _MOST_ERRORS)
    error = max(errors, key=lambda one: len(one.instance_path), default=None)
    if error is None:
        raise CredentialError(code, "Among its many values is one that the schema refuses.", "/")
    path = "".join(f"/{part}" for part in error.instance_path)
    message = error.message if len(error.message) <= 300 else error.message[:300] + " …"
    raise CredentialError(code, message, path or "/")


def _excerpt(value: Any, left: list[int]) -> Any:
    """Return a value with all keys of its objects, and of its lists the first elements, while values are left.

    Of a long text both ends are kept, so that a URL, a picture and a token keep their form.
    """
    left[0] -= 1
    if isinstance(value, dict):
        return {name: _excerpt(one, left) for name, one in value.items()}
    if isinstance(value, str) and len(value) > 2 * _TEXT_EXPLAINED:
        return value[:_TEXT_EXPLAINED] + value[-_TEXT_EXPLAINED:]
    if not isinstance(value, list):
        return value
    kept: list[Any] = []
    for one in value:
        if kept and left[0] <= 0:
            break
        kept.append(_excerpt(one, left))
    return kept
