"""Building a Comprehensive Learner Record around signed credentials so that it is hard to get wrong."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from libs.openbadges.jose.plain import read_json
from libs.openbadges.model import times
from libs.openbadges.model.context_urls import CLR_V2, CREDENTIALS_V2, OPEN_BADGES_V3
from libs.openbadges.model.documents import Achievement, Association, IdentityObject, Profile
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.members import subject_of
from libs.openbadges.model.records import MOST_EMBEDDED, check_record
from libs.openbadges.model.schema import validate_record


def record_document(
    *,
    record_id: str,
    issuer: Profile,
    subject_id: str,
    name: str,
    valid_from: datetime,
    credentials: Sequence[str | dict[str, Any]],
    achievements: Sequence[Achievement] = (),
    associations: Sequence[Association] = (),
    valid_until: datetime | None = None,
    description: str | None = None,
    partial: bool | None = None,
    status: dict[str, Any] | Sequence[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Write a learner record as an unsigned credential, checked against the data model and the official schema.

    A learner may be another subject in each credential, so that strangers cannot tell two of one learner. The record
    names its own subject, and beside it, as identifiers (CLR 2.0, class ClrSubject), what the credentials call the
    learner: that all of them are this learner is what the issuer of the record says and signs.

    Args:
        record_id: an absolute IRI.
        issuer: who puts the record together; the credentials in it keep their own issuers.
        subject_id: an absolute IRI for the learner in this record.
        name: what the record is called.
        valid_from: from when; with a zone.
        credentials: signed credentials, as text or parsed, in the order to show.
        achievements: achievements that associations speak of and no credential in the record is about.
        associations: how achievements stand to each other.
        valid_until: until when, if it ends.
        description: what the record is, for people.
        partial: true if the issuer knows of more achievements than the record has (CLR 2.0, class ClrCredential).
        status: entries from `bitstring.entry`.

    Raises:
        CredentialError: no credential or too many (`record_size`), one without a proof (`proof_missing`) or twice
            (`credential_twice`), an association with an achievement that the record does not have
            (`association_unknown`), dates the wrong way round, or what the data model or the schema refuses.
    """
    if valid_until is not None and valid_until <= valid_from:
        raise CredentialError("dates_reversed", "The record would end before it begins.", "/validUntil")
    optional = {
        "description": description,
        "partial": partial,
        "validUntil": None if valid_until is None else times.write(valid_until),
        "credentialStatus": (status if isinstance(status, dict) else list(status)) if status else None,
    }
    document = {
        "@context": [CREDENTIALS_V2, CLR_V2, OPEN_BADGES_V3],
        "id": record_id,
        "type": ["VerifiableCredential", "ClrCredential"],
        "name": name,
        "issuer": issuer.to_json(),
        "validFrom": times.write(valid_from),
        "credentialSubject": _subject(subject_id, _held(credentials), achievements, associations),
        **{key: value for key, value in optional.items() if value is not None},
    }
    check_record(document)
    validate_record(document)
    return document


def _subject(
    subject_id: str,
    held: list[dict[str, Any]],
    achievements: Sequence[Achievement],
    associations: Sequence[Association],
) -> dict[str, Any]:
    known = {one.id for one in achievements} | {_achievement_id(one) for one in held}
    for number, association in enumerate(associations):
        for end in (association.source_id, association.target_id):
            if end not in known:
                path = f"/credentialSubject/association/{number}"
                raise CredentialError("association_unknown", f"The record has no achievement {end}.", path)
    subject: dict[str, Any] = {"id": subject_id, "type": ["ClrSubject"], "verifiableCredential": held}
    others = dict.fromkeys(one for one in map(subject_of, held) if one is not None and one != subject_id)
    if others:
        subject["identifier"] = [
            IdentityObject(hashed=False, identity_hash=one, identity_type="identifier").to_json() for one in others
        ]
    if achievements:
        subject["achievement"] = [one.to_json() for one in achievements]
    if associations:
        subject["association"] = [one.to_json() for one in associations]
    return subject


def _held(credentials: Sequence[str | dict[str, Any]]) -> list[dict[str, Any]]:
    if not 1 <= len(credentials) <= MOST_EMBEDDED:
        raise CredentialError(
            "record_size", f"A record holds 1 to {MOST_EMBEDDED} credentials, not {len(credentials)}."
        )
    held = [read_json(one) for one in credentials]
    seen: set[Any] = set()
    for number, one in enumerate(held):
        path = f"/credentialSubject/verifiableCredential/{number}"
        if not one.get("proof"):
            raise CredentialError("proof_missing", "A credential in a record is signed by its own issuer first.", path)
        identifier = one.get("id")
        if identifier is not None and str(identifier) in seen:
            raise CredentialError("credential_twice", f"The credential {identifier} stands in the record twice.", path)
        seen.add(str(identifier))
    return held


def _achievement_id(credential: dict[str, Any]) -> str | None:
    subject = credential.get("credentialSubject")
    achievement = subject.get("achievement") if isinstance(subject, dict) else None
    identifier = achievement.get("id") if isinstance(achievement, dict) else None
    return identifier if isinstance(identifier, str) else None
