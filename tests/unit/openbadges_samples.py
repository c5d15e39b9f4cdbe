"""Credentials for the engine's tests, built as an issuer would build them."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from libs.openbadges.crypto.did import did_document, did_web, verification_method
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.issue.building import CredentialTemplate, Shown, solo_result_description
from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.model.documents import Achievement, Alignment, Criteria, Evidence, Image, Profile
from libs.openbadges.status.bitstring import StatusList, entry, list_document
from libs.openbadges.verify import Dependencies, ResolvedInputs

NOW = datetime(2026, 3, 6, 9, 30, tzinfo=UTC)
KEY = Ed25519Key.from_seed(bytes(range(32)))
DID = did_web("https://badges.example", "issuers", "wattle-grove")
METHOD = verification_method(DID, KEY.public_multibase)
LIST = "https://badges.example/status/1"
RESILIENCE = "https://badges.example/achievements/resilience/1"
DESCRIPTIONS = {
    "prestructural": "Gives up, or waits for others, when a task becomes hard.",
    "unistructural": "Tries one way of going on after a setback.",
    "multistructural": "Uses several ways of coping, one after the other.",
    "relational": "Chooses among ways of coping by what the situation asks, and explains the choice.",
    "extended_abstract": "Carries what was learned from a setback over to new situations, and helps others to do so.",
}


def template() -> CredentialTemplate:
    issuer = Profile(id=DID, name="Wattle Grove High School", url="https://wattlegrove.example")
    achievement = Achievement(
        id=RESILIENCE,
        name="Resilience",
        description="Keeps going when it gets hard, and learns from it.",
        achievement_type="MicroCredential",
        criteria=Criteria(id=f"{RESILIENCE}/criteria", narrative="Shown in Values Week, on at least one activity."),
        alignment=[
            Alignment(
                target_name="Personal and Social Capability",
                target_url="https://curriculum.example/capabilities/personal-and-social",
                target_code="PSC",
                target_framework="General capabilities",
                target_type="ceasn:Competency",
            )
        ],
        image=Image(id=f"{RESILIENCE}/image.svg"),
        tag=["values", "wellbeing"],
        result_description=[
            solo_result_description(RESILIENCE, required_level="multistructural", descriptions=DESCRIPTIONS)
        ],
    )
    return CredentialTemplate(issuer, achievement)


def badge(number: int = 1, **changes: Any) -> dict[str, Any]:
    """One award, about 3 kB once signed."""
    given: dict[str, Any] = {
        "credential_id": f"urn:uuid:0f4ac6a1-59e9-4a3c-95ad-{number:012d}",
        "subject_id": f"urn:uuid:7d2f8c51-11aa-4c39-8f0e-{number:012d}",
        "valid_from": NOW,
        "awarded": NOW,
        "shown": [Shown(level="relational")],
        "evidence": [
            Evidence(
                id=f"https://evidence.example/items/{number}",
                name="Raft building",
                narrative='Rebuilt the raft after it sank twice; said "we tied wrong knots".\nAssessed by the teacher.',
                genre="Observation",
            ),
            Evidence(name="Reflection", narrative=f"Wrote {number} pages about the week."),
        ],
        "status": entry(LIST, number % 1000),
    }
    return template().document(**{**given, **changes})


def signed(number: int = 1, **changes: Any) -> str:
    return sign(prepare(badge(number, **changes)), KEY, METHOD, NOW)


def material(*revoked: int, purpose: str = "revocation") -> ResolvedInputs:
    statuses = StatusList()
    for index in revoked:
        statuses.set(index)
    listing = sign(prepare(list_document(LIST, DID, statuses, valid_from=NOW, purpose=purpose)), KEY, METHOD, NOW)
    return ResolvedInputs({DID: did_document(DID, KEY.public_multibase)}, {LIST: listing})


def in_threads(work: Callable[[], None]) -> None:
    """Do the same four times at once, and wait for all."""
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def to_fetch(needs: Dependencies) -> tuple[set[str], set[str], set[str]]:
    """What must come from elsewhere: DID documents, status lists, refreshed versions."""
    return set(needs.dids), set(needs.status_lists), set(needs.refreshed)
