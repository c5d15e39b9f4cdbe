"""The badges that the engine is measured with: distinct awards of one achievement."""

import uuid
from datetime import UTC, datetime
from typing import Any

from libs.openbadges.crypto.did import did_web, verification_method
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.issue.building import CredentialTemplate, Shown, solo_result_description
from libs.openbadges.model.documents import Achievement, Alignment, Criteria, Evidence, Image, Profile
from libs.openbadges.status.bitstring import entry

NOW = datetime(2026, 3, 6, 9, 30, tzinfo=UTC)
KEY = Ed25519Key.from_seed(bytes(range(32)))
DID = did_web("https://badges.example", "issuers", "wattle-grove")
METHOD = verification_method(DID, KEY.public_multibase)
ACHIEVEMENT = "https://badges.example/achievements/resilience/1"


def badges(count: int, *, status: bool = True) -> list[dict[str, Any]]:
    """Distinct awards of one achievement, about 3 kB each, with results, evidence, an alignment and a status."""
    level_text = "Chooses among ways of coping by what the situation asks, and explains the choice."
    template = CredentialTemplate(
        Profile(id=DID, name="Wattle Grove High School", url="https://wattlegrove.example"),
        Achievement(
            id=ACHIEVEMENT,
            name="Resilience",
            description="Keeps going when it gets hard, and learns from it.",
            criteria=Criteria(narrative="Shown in Values Week, on at least one activity."),
            alignment=[Alignment(target_name="Personal capability", target_url="https://curriculum.example/psc")],
            image=Image(id=f"{ACHIEVEMENT}/image.svg"),
            result_description=[
                solo_result_description(
                    ACHIEVEMENT, required_level="multistructural", descriptions={"relational": level_text}
                )
            ],
        ),
    )
    return [
        template.document(
            credential_id=f"urn:uuid:{uuid.UUID(int=number + 2**80)}",
            subject_id=f"urn:uuid:{uuid.UUID(int=number + 2**90)}",
            valid_from=NOW,
            awarded=NOW,
            shown=[Shown(level=("multistructural", "relational", "extended_abstract")[number % 3])],
            evidence=[
                Evidence(name=f"Raft building {number}", narrative=f'Rebuilt it {number} times; said "again".'),
                Evidence(id=f"https://evidence.example/{number}", name="Reflection"),
            ],
            status=entry("https://badges.example/status/1", number) if status else None,
        )
        for number in range(count)
    ]
