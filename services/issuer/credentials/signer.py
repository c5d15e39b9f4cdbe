"""Writing and signing an award as an Open Badges 3.0 AchievementCredential."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, time
from time import perf_counter
from typing import Any, Protocol

from cachetools import LRUCache

from libs.common.telemetry import get_logger
from libs.contracts.events import AchievementPublished, EvidenceSubmitted, IssuerPublished
from libs.contracts.ids import Ids
from libs.contracts.results import Result
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
from services.issuer.credentials.hindrance import Hindrance, Pair
from services.issuer.credentials.sample import sample_achievement
from services.issuer.keys.encryption import KeyMissingError, KeyUnavailableError
from services.issuer.status.entry import StatusEntry
from services.issuer.urls import Urls

_REMEMBERED_TEMPLATES = 2_000
_REMEMBERED_METHODS = 5_000
_REMEMBERED_FAULTS = 5_000
# Of a sample, which is prepared and never signed.
_SAMPLE = "urn:uuid:00000000-0000-8000-8000-000000000001"
_LEARNER = "urn:uuid:00000000-0000-8000-8000-000000000002"
_SAMPLED = datetime(2026, 1, 1, tzinfo=UTC)
# Whatever evidence holds, and whatever was published without being tried.
_UNWRITABLE = (CredentialError, KeyError, ValueError, TypeError, OverflowError, RecursionError)


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
        self._told: LRUCache[str | Pair, Hindrance] = LRUCache(_REMEMBERED_FAULTS)
        self._faulty: LRUCache[tuple[object, ...], bool] = LRUCache(_REMEMBERED_FAULTS)

    async def hindrances(
        self, versions: Mapping[Pair, AchievementPublished], issuers: Mapping[str, IssuerPublished]
    ) -> dict[Pair, Hindrance]:
        """Load the active keys and templates of these, so that signing waits for nothing; return what hinders which.

        One issuer's key or achievement that is at fault hinders no other's.
        """
        names = {issuer_id for issuer_id, _ in versions}
        await self._keys.refresh(names)
        keys: dict[str, Ed25519Key] = {}
        found: dict[str | Pair, tuple[Hindrance, Exception]] = {}
        for issuer_id in names:
            try:
                keys[issuer_id] = await self._keys.key(issuer_id)
                self._method(issuers[issuer_id].did, keys[issuer_id])
            except KeyMissingError as error:
                found[issuer_id] = Hindrance.KEY_MISSING, error
            except KeyUnavailableError as error:
                found[issuer_id] = Hindrance.KEY_CLOSED, error
            except _UNWRITABLE as error:
                found[issuer_id] = Hindrance.ISSUER_UNUSABLE, error
        for pair, version in versions.items():
            if pair[0] in found:
                continue
            try:
                self._template(issuers[pair[0]], version, issuers[version.owner])
            except _UNWRITABLE as error:
                found[pair] = self._fault_of(issuers[pair[0]]), error
        self._tell(found, {*names, *versions})
        return {
            pair: hindrance[0] for pair in versions if (hindrance := found.get(pair[0]) or found.get(pair)) is not None
        }

    def _tell(self, found: Mapping[str | Pair, tuple[Hindrance, Exception]], asked: AbstractSet[str | Pair]) -> None:
        """Log what hinders an issuer or an achievement from now on, and what does no longer."""
        for name in asked:
            issuer_id, achievement = (name, None) if isinstance(name, str) else name
            fields = {"issuer": issuer_id, "achievement": achievement}
            hindrance, error = found.get(name, (None, None))
            if hindrance is not self._told.get(name):
                if hindrance is None:
                    get_logger().info("awards are signed again", **fields)
                    self._told.pop(name, None)
                else:
                    get_logger().error("awards are parked", reason=hindrance.value, problem=str(error), **fields)
                    self._told[name] = hindrance

    async def credentials(
        self, awards: Sequence[tuple[NewAward, StatusEntry]], issuers: dict[str, IssuerPublished], at: datetime
    ) -> list[str | CredentialError | Hindrance]:
        """Return the signed credential of each award, as JSON text, or why it cannot be written.

        It is an error where the evidence cannot stand in a credential, and a hindrance where no evidence of that
        achievement can.

        All are prepared, then all of one key are signed, which takes less than one after the other.

        Raises:
            KeyUnavailableError: an issuer's key is not available.
        """
        keys = {issuer: await self._keys.key(issuer) for issuer in {award.evidence.issuer_id for award, _ in awards}}
        started = perf_counter()
        answers: dict[int, str | CredentialError | Hindrance] = {}
        prepared: dict[str, dict[int, Prepared]] = {issuer: {} for issuer in keys}
        for number, (award, entry) in enumerate(awards):
            try:
                prepared[award.evidence.issuer_id][number] = prepare(self._document(award, entry, issuers, at))
            except _UNWRITABLE as error:
                answers[number] = self._fault(award, issuers, error)
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
        shows_evidence = award.shows_evidence and issuers[evidence.issuer_id].public_evidence
        page = self._urls.credential(award.credential_id)
        return self._template(issuers[evidence.issuer_id], version, issuers[version.owner]).document(
            credential_id=page,
            subject_id=f"urn:uuid:{uuid_text(self._ids.subject_id(evidence.learner_id, award.credential_id))}",
            valid_from=at,
            shown=_shown(award.result, self._urls.achievement(version)),
            evidence=[_evidence(evidence)] if shows_evidence else [],
            status=bitstring.entry(self._urls.status_list(entry.list_id), entry.index),
            image=f"{page}/image.svg",
            activity_end=datetime.combine(award.ended_on or evidence.observed_on, time(), UTC),
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
        key = _key(issuer, version, owner)
        template = self._templates.get(key)
        if template is None:
            if key in self._faulty:
                raise CredentialError("achievement_unusable", "A result of this achievement could not be written.")
            template = self._templates[key] = self._tried(issuer, version, owner)
        return template

    def _tried(
        self, issuer: IssuerPublished, version: AchievementPublished, owner: IssuerPublished
    ) -> CredentialTemplate:
        """Return a new template, of which a credential can be prepared."""
        achievement = published_achievement(version, self._urls.achievement(version), issuer_profile(owner))
        template = CredentialTemplate(issuer_profile(issuer), achievement)
        _try(template)
        return template

    def _fault_of(self, issuer: IssuerPublished) -> Hindrance:
        """Return whether it is the issuer of which no credential can be written, or an achievement."""
        try:
            self._tried(issuer, sample_achievement(issuer.issuer_id, _SAMPLED), issuer)
        except _UNWRITABLE:
            return Hindrance.ISSUER_UNUSABLE
        return Hindrance.ACHIEVEMENT_UNUSABLE

    def _fault(
        self, award: NewAward, issuers: Mapping[str, IssuerPublished], error: Exception
    ) -> CredentialError | Hindrance:
        """Return why an award cannot be written: its evidence; or its achievement or issuer, where none can be."""
        version, issuer = award.achievement, issuers[award.evidence.issuer_id]
        owner = issuers[version.owner]
        try:
            _try(self._template(issuer, version, owner), *_shown(award.result, self._urls.achievement(version)))
        except _UNWRITABLE:
            key = _key(issuer, version, owner)
            self._templates.pop(key, None)
            self._faulty[key] = True
            return self._fault_of(issuer)
        if isinstance(error, CredentialError):
            return error
        # Whatever evidence holds: it is decided, once.
        return CredentialError("cannot_be_written", f"It cannot be written: {type(error).__name__}.")


def _key(issuer: IssuerPublished, version: AchievementPublished, owner: IssuerPublished) -> tuple[object, ...]:
    return issuer.issuer_id, issuer.version, owner.version, version.version_key


def _try(template: CredentialTemplate, *shown: Shown) -> None:
    """Prepare a sample with these results.

    Raises:
        ValueError, TypeError, KeyError: no such credential can be written.
    """
    prepare(template.document(credential_id=_SAMPLE, subject_id=_LEARNER, valid_from=_SAMPLED, shown=shown))


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


def _shown(result: Result | None, achievement_id: str) -> list[Shown]:
    if result is None:
        return []
    if result.level is not None:
        return [Shown(level=result.level.value, result_description_id=solo_id(achievement_id))]
    assert result.score is not None, "a result is one of both"  # noqa: S101  # what `Result` promises
    return [Shown(value=number_text(result.score), result_description_id=score_id(achievement_id))]


def _evidence(evidence: EvidenceSubmitted) -> dict[str, Any]:
    written: dict[str, Any] = {"type": ["Evidence"], "name": evidence.activity}
    if evidence.link is not None:
        written["id"] = evidence.link
    return written
