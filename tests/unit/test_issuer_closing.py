"""Asking for a credential to be closed: who asks is recorded before the command goes out, and their words stay."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.access.api_keys import Caller
from libs.audit.entry import Action, Cause, Entry
from libs.common.arrivals import Arrivals
from libs.common.damage import Damage
from libs.common.errors import NotFoundError, OtherTenantError
from libs.contracts.cloudevents import Outgoing
from libs.contracts.reasons import RevocationReason, TakeDownReason
from services.issuer.credentials.closing import Closings
from services.issuer.credentials.credential import Credential, Revocation, TakeDown
from services.issuer.credentials.requests import ClosingRequest
from services.issuer.decision_ids import DecisionId
from services.issuer.status.entry import StatusEntry
from tests.ids import COMMANDS
from tests.issuer_doubles import NOW, TRACE

CALLER = Caller("wattle", frozenset())
CAUSE = Cause("key:wattle/office", "0" * 32, "0123456789abcdef", "192.0.2.1")
NOTE = "Kim's mother asked for it"


class World:
    """The issuer's parts, in the order in which they were used."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.credential = Credential(
            credential_id=uuid4(),
            issuer_id="wattle",
            learner_id=uuid4(),
            holding_id=uuid4(),
            achievement="wattle/resilience/1",
            level=None,
            evidence_id=None,
            decision_id=DecisionId(uuid4(), 1, 1),
            status=StatusEntry("wattle-1", 7),
            issued_at=NOW,
            document="{}",
        )

    async def find(self, credential_id: UUID, issuer_id: str) -> Credential | None:
        return self.credential if issuer_id == "wattle" else None

    async def not_found(self, credential_id: UUID, issuer_id: str) -> NotFoundError:
        elsewhere = credential_id == self.credential.credential_id and issuer_id != self.credential.issuer_id
        return (OtherTenantError if elsewhere else NotFoundError).for_caller("nothing")

    async def by_ids(self, credential_ids: Iterable[UUID], _damage: Damage | None = None) -> dict[UUID, Credential]:
        return {each: self.credential for each in credential_ids if each == self.credential.credential_id}

    async def keep(self, request: ClosingRequest) -> None:
        self.done.append(request)

    async def record(self, entry: Entry) -> None:
        self.done.append(entry)

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        for each in outgoing:
            self.done.append(each.event)
        take_down = TakeDown(NOW, TakeDownReason.SAFETY)
        self.credential = replace(
            self.credential, revocation=Revocation(NOW, RevocationReason.OTHER), take_down=take_down
        )

    @property
    def closings(self) -> Closings:
        parts: Any = {"credentials": self, "requests": self, "audit": self, "arrivals": Arrivals()}
        return Closings(**parts, commands=COMMANDS, publish=self.publish, clock=lambda: NOW, new_id=uuid4)


@pytest.mark.parametrize("kind", ["revoke", "take down"])
async def test_who_asks_is_recorded_before_the_command_and_their_words_are_in_their_request_alone(kind: str) -> None:
    world = World()
    credential_id, given = world.credential.credential_id, {"cause": CAUSE, "trace": TRACE}
    if kind == "revoke":
        done = await world.closings.revoke(credential_id, CALLER, RevocationReason.WRONG_LEARNER, NOTE, **given)  # type: ignore[arg-type]  # both
    else:
        done = await world.closings.take_down(credential_id, CALLER, TakeDownReason.SAFETY, NOTE, **given)  # type: ignore[arg-type]  # both
    request, entry, command = world.done
    assert done
    assert isinstance(request, ClosingRequest)
    assert request.note == NOTE
    assert isinstance(entry, Entry)
    assert entry.action is {"revoke": Action.CREDENTIAL_REVOKED, "take down": Action.CREDENTIAL_TAKEN_DOWN}[kind]
    assert (entry.cause, entry.tenants, entry.reason) == (CAUSE, ("wattle",), request.reason)
    assert "Kim" not in repr(entry)
    assert "Kim" not in repr(command)


async def test_who_asks_for_another_schools_credential_is_refused_as_for_one_that_is_not_and_that_is_told_apart() -> (
    None
):
    world, other = World(), Caller("banksia", frozenset())
    with pytest.raises(OtherTenantError) as refused:
        await world.closings.read(world.credential.credential_id, other)
    with pytest.raises(NotFoundError) as missing:
        await world.closings.read(uuid4(), other)
    assert not isinstance(missing.value, OtherTenantError)
    assert (str(refused.value), refused.value.code) == (str(missing.value), missing.value.code), (
        "to the caller the same"
    )


async def test_what_is_closed_already_is_neither_recorded_nor_asked_for_again() -> None:
    world = World()
    world.credential = replace(world.credential, revocation=Revocation(NOW, RevocationReason.OTHER))
    asked = world.credential.credential_id
    assert await world.closings.revoke(asked, CALLER, RevocationReason.OTHER, None, cause=CAUSE, trace=TRACE)
    assert world.done == []
