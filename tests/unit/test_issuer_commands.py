"""A command to revoke or take down is applied where the issuer service made it, and nowhere else."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest

from libs.common.authority_secret import AuthoritySecret
from libs.contracts.cloudevents import Outgoing, Received
from libs.contracts.events import RevokeCredential, TakeDownCredential
from libs.contracts.proofs import ForgedEventError
from libs.contracts.reasons import RevocationReason
from services.issuer.credentials.commands import Commands
from services.issuer.credentials.requests import ClosingRequest, RequestKind
from services.issuer.credentials.waiting_commands import Command
from tests.ids import COMMANDS
from tests.issuer_doubles import NOW, TRACE


def request(kind: RequestKind = RequestKind.REVOKE, **changes: Any) -> ClosingRequest:
    given: dict[str, Any] = {
        "request_id": uuid4(),
        "issuer_id": "wattle",
        "credential_id": uuid4(),
        "kind": kind,
        "principal": "key:wattle/office",
        "key": None,
        "reason": "other",
        "note": "Kim's mother asked for it",
        "requested_at": NOW,
    }
    return ClosingRequest(**{**given, **changes})


def read_back(command: Command) -> Command:
    """As it comes from the topic."""
    return type(command).model_validate_json(orjson.dumps(command.model_dump(mode="json")))


@pytest.mark.parametrize("kind", RequestKind)
def test_a_command_of_a_request_is_ours_also_when_it_is_read_and_says_nothing_of_its_words(kind: RequestKind) -> None:
    asked = request(kind)
    made = COMMANDS.of(asked)
    assert COMMANDS.is_ours(read_back(made))
    assert (made.request_id, made.credential_id, made.reason.value) == (asked.request_id, asked.credential_id, "other")
    assert "Kim" not in made.model_dump_json()
    assert COMMANDS.of(asked) == made


def test_whatever_is_changed_of_a_command_it_is_not_ours() -> None:
    made = COMMANDS.of(request())
    changes: dict[str, Any] = {
        "credential_id": uuid4(),
        "issuer_id": "banksia",
        "request_id": uuid4(),
        "reason": RevocationReason.WRONG_LEARNER,
        "record": COMMANDS.of(request()).record,
        "requested_at": NOW + timedelta(seconds=1),
    }
    assert {*changes, "proof"} == set(RevokeCredential.model_fields)
    for name, value in changes.items():
        assert not COMMANDS.is_ours(made.model_copy(update={name: value})), name
    for proof in (None, "0" * 64, (made.proof or "")[::-1]):
        assert not COMMANDS.is_ours(made.model_copy(update={"proof": proof}))
    other = TakeDownCredential.model_validate(made.model_dump())
    assert not COMMANDS.is_ours(other)


def test_another_authority_makes_no_command_of_ours() -> None:
    assert not COMMANDS.is_ours(Commands(AuthoritySecret(bytes(32)).key).of(request()))


async def test_only_commands_of_ours_are_handed_on_and_others_fail_alone() -> None:
    applied: list[Command] = []
    kept: list[ClosingRequest] = []

    async def apply(batch: Sequence[Received[Command]]) -> Sequence[Outgoing]:
        applied.extend(each.event for each in batch if each.event is not None)
        return []

    async def keep(requests: Sequence[ClosingRequest]) -> None:
        kept.extend(requests)

    handle = COMMANDS.ours_alone(apply, keep)
    asked = request()
    ours = received(COMMANDS.of(asked))
    forged = received(COMMANDS.of(request()).model_copy(update={"proof": None}))
    await handle([ours])
    for batch in ([forged], [ours, forged]):
        with pytest.raises(ForgedEventError):
            await handle(batch)
    assert applied == [ours.event]
    assert kept == [asked]


@pytest.mark.parametrize("kind", RequestKind)
@pytest.mark.parametrize("note", [None, "Kim's mother asked for it"])
def test_who_asked_and_why_comes_back_from_a_command_whole(kind: RequestKind, note: str | None) -> None:
    asked = request(kind, note=note, key="0123456789abcdef")
    assert COMMANDS.request_of(read_back(COMMANDS.of(asked))) == asked


def test_a_command_from_before_it_had_a_record_has_no_request() -> None:
    assert COMMANDS.request_of(COMMANDS.of(request()).model_copy(update={"record": None})) is None


def received(command: Command) -> Received[Command]:
    return Received(command, command.key, TRACE)
