"""Writing and signing an award as an Open Badges 3.0 AchievementCredential."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time
from time import perf_counter
from typing import Any, Protocol

from cachetools import LRUCache

from libs.contracts.events import AchievementPublished, EvidenceSubmitted, IssuerPublished
from libs.contracts.ids import Ids
from libs.contracts.uuid_text import uuid_text
from libs.openbadges.crypto import did
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.issue.achievements import (
    LINKEDIN_IDENTIFIER,
    number_text,
    published_achievement,
    score_id,
    solo_id,
)
from libs.openbadges.issue.building import CredentialTemplate, Shown
from libs.openbadges.issue.signing import Prepared, prepare, sign_all
from libs.openbadges.model.documents import IdentifierEntry, Image, Profile
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.status import bitstring
from services.issuer.credentials import metrics
from services.issuer.credentials.award import NewAward
from services.issuer.status.entry import StatusEntry
from services.issuer.urls import Urls

_REMEMBERED_TEMPLATES = 2_000
_REMEMBERED_METHODS = 5_000


class Keys(Protocol):
    """Has issuers' signing keys."""

    async def key(self, issuer_id: str) -> Ed25519Key:
        """Return the issuer's key.

        Raises:
            KeyUnavailableError: it is not available.
        """
        ...

    async def refresh(self, issuer_ids: Iterable[str]) -> None:
        """Forget those of these issuers' keys that are active no longer."""
        ...


class CredentialSigner:
    """Prepares and signs. What all awards of one achievement by one issuer share is written once and remembered."""

    def __init__(self, keys: Keys, urls: Urls, ids: Ids) -> None:
        self._keys = keys
        self._urls = urls
        self._ids = ids
        self._templates: LRUCache[tuple[object, ...], CredentialTemplate] = LRUCache(_REMEMBERED_TEMPLATES)
        self._methods: LRUCache[tuple[str, bytes], str] = LRUCache(_REMEMBERED_METHODS)

    async def open_keys(self, issuer_ids: set[str]) -> None:
        """Load these issuers' active keys, so that signing waits for nothing.

        Raises:
            KeyUnavailableError: a key is not available.
        """
        await self._keys.refresh(issuer_ids)
        for issuer_id in issuer_ids:
            await self._keys.key(issuer_id)

    async def credentials(
        self, awards: Sequence[tuple[NewAward, StatusEntry]], issuers: dict[str, IssuerPublished], at: datetime
    ) -> list[str | CredentialError]:
        """Return the signed credential of each award, as JSON text, or why the evidence cannot stand in one.

        All are prepared, then all of one key are signed, which takes less than one after the other.

        Raises:
            KeyUnavailableError: an issuer's key is not available.
        """
        keys = {issuer: await self._keys.key(issuer) for issuer in {award.evidence.issuer_id for award, _ in awards}}
        started = perf_counter()
        answers: dict[int, str | CredentialError] = {}
        prepared: dict[str, dict[int, Prepared]] = {issuer: {} for issuer in keys}
        for number, (award, entry) in enumerate(awards):
            try:
                prepared[award.evidence.issuer_id][number] = prepare(self._document(award, entry, issuers, at))
            except CredentialError as error:
                answers[number] = error
            except (ValueError, TypeError, OverflowError, RecursionError) as error:
                # Whatever evidence holds, and whatever was published before it was tried: it is decided, once.
                answers[number] = CredentialError("cannot_be_written", f"It cannot be written: {type(error).__name__}.")
        for issuer, some in prepared.items():
            method = self._method(issuers[issuer].did, keys[issuer])
            answers.update(zip(some, sign_all(list(some.values()), keys[issuer], method, at), strict=True))
        seconds = (perf_counter() - started) / len(awards)
        for _ in awards:
            metrics.SIGNING_SECONDS.observe(seconds)
        return [answers[number] for number in range(len(awards))]

    def _document(
        self, award: NewAward, entry: StatusEntry, issuers: dict[str, IssuerPublished], at: datetime
    ) -> dict[str, Any]:
        """Return the credential of an award before it is signed."""
        evidence, version = award.evidence, award.achievement
        page = self._urls.credential(award.credential_id)
        return self._template(issuers[evidence.issuer_id], version, issuers[version.owner]).document(
            credential_id=page,
            subject_id=f"urn:uuid:{uuid_text(self._ids.subject_id(evidence.learner_id, award.credential_id))}",
            valid_from=at,
            shown=[_shown(evidence, self._urls.achievement(version))],
            evidence=[_evidence(evidence)] if issuers[evidence.issuer_id].public_evidence else [],
            status=bitstring.entry(self._urls.status_list(entry.list_id), entry.index),
            image=f"{page}/image.svg",
            activity_end=datetime.combine(evidence.observed_on, time(), UTC),
        )

    def _method(self, issuer_did: str, key: Ed25519Key) -> str:
        """Return the DID URL of the key; writing it costs as much as signing, so it is remembered."""
        # By the public key: what is remembered here outlives the opened secrets of `SigningKeys`.
        known = self._methods.get((issuer_did, key.public_bytes))
        if known is None:
            known = did.verification_method(issuer_did, key.public_multibase)
            self._methods[issuer_did, key.public_bytes] = known
        return known

    def _template(
        self, issuer: IssuerPublished, version: AchievementPublished, owner: IssuerPublished
    ) -> CredentialTemplate:
        key = issuer.issuer_id, issuer.version, owner.version, version.version_key
        template = self._templates.get(key)
        if template is None:
            achievement = published_achievement(version, self._urls.achievement(version), issuer_profile(owner))
            template = self._templates[key] = CredentialTemplate(issuer_profile(issuer), achievement)
        return template


def issuer_profile(issuer: IssuerPublished) -> Profile:
    """Return the issuer as its credentials name it.

    Raises:
        ValueError: a value of it cannot stand in a credential.
    """
    image = None if issuer.logo is None else Image(id=issuer.logo)
    linkedin = issuer.linkedin_id
    others = None
    if linkedin is not None:
        others = [IdentifierEntry(identifier=linkedin, identifier_type=LINKEDIN_IDENTIFIER)]
    return Profile(
        id=issuer.did, name=issuer.name, url=issuer.url, email=issuer.email, image=image, other_identifier=others
    )


def _shown(evidence: EvidenceSubmitted, achievement_id: str) -> Shown:
    if evidence.result.level is not None:
        return Shown(level=evidence.result.level.value, result_description_id=solo_id(achievement_id))
    assert evidence.result.score is not None, "a result is one of both"  # noqa: S101  # what `Result` promises
    return Shown(value=number_text(evidence.result.score), result_description_id=score_id(achievement_id))


def _evidence(evidence: EvidenceSubmitted) -> dict[str, Any]:
    written: dict[str, Any] = {"type": ["Evidence"], "name": evidence.activity}
    if evidence.link is not None:
        written["id"] = evidence.link
    return written
