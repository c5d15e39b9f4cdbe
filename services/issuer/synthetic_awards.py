"""Awards of synthetic learners: decided by the rules and signed as real ones are, and neither kept nor announced."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from libs.common.canary import CanaryFailedError
from libs.contracts.events import CanaryDecided, CanaryDocument, CanarySubmitted, Event, EvidenceSubmitted
from libs.contracts.ids import Ids
from libs.contracts.uuid_text import uuid_text
from libs.openbadges.crypto import did
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.issue.achievements import published_achievement, solo_id
from libs.openbadges.issue.building import CredentialTemplate, Shown
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.model.documents import Profile
from libs.openbadges.model.errors import CredentialError
from services.issuer.credentials.sample import sample_achievement
from services.issuer.decisions.context import DecisionContext
from services.issuer.decisions.rules import decide

_ACHIEVEMENT = "urn:uuid:00000000-0000-8000-8000-000000000003"


class SyntheticAwards:
    """Signs with a key that this process makes for itself and that stands in nobody's DID document but its own."""

    def __init__(self, ids: Ids, clock: Callable[[], datetime]) -> None:
        self._ids = ids
        self._clock = clock
        self._key = Ed25519Key.generate()
        self._did = f"did:key:{self._key.public_multibase}"

    async def award(self, event: CanarySubmitted) -> Sequence[Event]:
        """Decide what a synthetic learner submitted, and sign what is earned; return what tells of both.

        Raises:
            CanaryFailedError: it is not what such evidence earns, or cannot be signed.
        """
        try:
            document = self._signed(event.evidence)
        except CredentialError as error:
            raise CanaryFailedError(str(error)) from None
        told = {"number": event.number, "sent_at": event.sent_at}
        return [CanaryDocument(**told, document=document), CanaryDecided(**told)]

    def _signed(self, evidence: EvidenceSubmitted) -> str:
        at = self._clock()
        version = sample_achievement(evidence.issuer_id, at)
        context = DecisionContext(
            ids=self._ids,
            issuers={evidence.issuer_id},
            achievements={(evidence.issuer_id, version.achievement_id): version},
            owners={},
            holdings={},
        )
        (outcome,) = decide([evidence], context)
        if outcome.award is None or evidence.result.level is None:
            raise CanaryFailedError(f"the rules decide {outcome.outcome.value}")
        profile = Profile(id=self._did, name="Synthetic")
        template = CredentialTemplate(profile, published_achievement(version, _ACHIEVEMENT, profile))
        document = template.document(
            credential_id=_urn(outcome.award.credential_id),
            subject_id=_urn(self._ids.subject_id(evidence.learner_id, outcome.award.credential_id)),
            valid_from=at,
            shown=[Shown(level=evidence.result.level.value, result_description_id=solo_id(_ACHIEVEMENT))],
        )
        method = did.verification_method(self._did, self._key.public_multibase)
        return sign(prepare(document), self._key, method, at)


def _urn(uuid: UUID) -> str:
    return f"urn:uuid:{uuid_text(uuid)}"
