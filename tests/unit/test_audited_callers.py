"""Every command and call that changes, hands out or refuses something is in an audit log, or it is said why not."""

import json
from collections.abc import Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from bowerbird import dead_letters, republish
from bowerbird.auditing import command as promises
from bowerbird.cli import COMMANDS
from bowerbird.operator_log import operators_cause
from deploy.embedded.layout import SOURCE_ROOT
from libs.audit.entry import Action, Entry
from libs.common.damage import Damage
from libs.contracts.cloudevents import Outgoing
from tests.unit.test_dead_letters import letter

LOOKS = "it only looks, and tells nothing of anybody"
ASKS = "the issuer service is asked, which has the entry: see the calls"
STACK = "it starts and stops processes on this machine; what these do stands in their own logs"
FILES = "it makes files and reaches no store; a service that is given them acts on them"

OF_COMMANDS: dict[str, Sequence[Action] | str] = {
    "up": STACK,
    "demo": STACK,
    "status": LOOKS,
    "down": STACK,
    "run": STACK,
    "setup": [Action.STORE_ACCESS_CHANGED, Action.PARTNER_ADMITTED, Action.PARTNER_WITHDRAWN],
    "grant-keys": FILES,
    "issuer-list-key": FILES,
    "admin-key": [Action.ADMINISTRATOR_ADDED, Action.ADMINISTRATOR_REMOVED],
    "keys list": ASKS,
    "keys make": ASKS,
    "keys rotate": ASKS,
    "keys withdraw": ASKS,
    "issuers suspend": ASKS,
    "issuers resume": ASKS,
    "organisations apply": ASKS,
    "organisations rename": ASKS,
    "organisations close": ASKS,
    "organisations reopen": ASKS,
    "catalogue apply": ASKS,
    "catalogue diff": LOOKS,
    "catalogue export": LOOKS,
    "submit": "the evidence service is asked, and keeps what was sent with its batch: see the calls",
    "dead-letters list": LOOKS,
    "dead-letters show": [Action.DEAD_LETTER_SHOWN],
    "dead-letters send-again": [Action.DEAD_LETTERS_SENT_AGAIN],
    "parked list": LOOKS,
    "parked release": [Action.EVIDENCE_RELEASED],
    "deliveries list": LOOKS,
    "deliveries release": [Action.MAILS_RELEASED],
    "deliveries discard": [Action.MAILS_DISCARDED],
    "audit verify": LOOKS,
    "audit promises": [Action.TOPICS_REPAIRED],
    "backup": [Action.DATABASES_BACKED_UP],
    "restore": [Action.DATABASES_RESTORED],
    "republish": [Action.TOPICS_REPUBLISHED],
    "rewrap": [Action.SIGNING_KEYS_REWRAPPED],
    "sign-grants-anew": [Action.API_KEYS_SIGNED_ANEW],
    "retention": LOOKS,
    "stores": LOOKS,
    "settings": LOOKS,
    "verify": LOOKS,
    "inspect": LOOKS,
    "conformance": STACK,
    "conformance-down": STACK,
    "contracts": FILES,
}

EVIDENCE = "evidence changes nothing by itself: what it leads to is recorded as the issuer signs it"
READS = "it asks with a body, since a student's number stands in no address, and changes nothing"
PUBLIC = "anybody may verify, and nothing is changed"

HANDS_OUT = {"/v1/credentials/export.csv"}
"""What changes nothing, and is in an audit log all the same."""

OF_CALLS: dict[str, Sequence[Action] | str] = {
    "evidence POST /v1/evidence": EVIDENCE,
    "evidence POST /v1/batches": EVIDENCE,
    "evidence POST /v1/awards": [Action.AWARDED_BY_HAND],
    "issuer POST /v1/credentials/{credential_id}/revoke": [Action.CREDENTIAL_REVOKED],
    "issuer POST /v1/credentials/{credential_id}/take-down": [Action.CREDENTIAL_TAKEN_DOWN],
    "issuer POST /v1/issuers/{issuer_id}/keys": [Action.API_KEY_GRANTED],
    "issuer POST /v1/issuers/{issuer_id}/keys/{key_id}/rotate": [Action.API_KEY_GRANTED, Action.API_KEY_WITHDRAWN],
    "issuer DELETE /v1/issuers/{issuer_id}/keys/{key_id}": [Action.API_KEY_WITHDRAWN],
    "issuer POST /v1/issuers/{issuer_id}/signing-keys": [Action.SIGNING_KEY_ADDED],
    "issuer PATCH /v1/issuers/{issuer_id}/signing-keys/{key_id}": [Action.SIGNING_KEY_CHANGED],
    "issuer POST /v1/issuers": [Action.SIGNING_KEY_ADDED, Action.ISSUER_PUBLISHED],
    "issuer POST /v1/organisations": [
        Action.ORGANISATION_PUBLISHED,
        Action.SIGNING_KEY_ADDED,
        Action.ISSUER_PUBLISHED,
    ],
    "issuer PUT /v1/organisations/{organisation_id}/name": [Action.ORGANISATION_RENAMED, Action.ISSUER_PUBLISHED],
    "issuer PUT /v1/organisations/{organisation_id}/closing": [Action.ORGANISATION_CLOSED],
    "issuer DELETE /v1/organisations/{organisation_id}/closing": [Action.ORGANISATION_REOPENED],
    "issuer PUT /v1/issuers/{issuer_id}/suspension": [Action.ISSUER_SUSPENDED],
    "issuer DELETE /v1/issuers/{issuer_id}/suspension": [Action.ISSUER_RESUMED],
    "issuer PUT /v1/issuers/{issuer_id}/profile": [Action.ISSUER_PUBLISHED],
    "issuer POST /v1/achievements": [Action.ACHIEVEMENT_PUBLISHED],
    "issuer PUT /v1/issuers/{issuer_id}/mail-domains": [Action.MAIL_DOMAINS_SET],
    "issuer POST /v1/issuers/{issuer_id}/explanations": READS,
    "issuer GET /v1/credentials/export.csv": [Action.CREDENTIALS_EXPORTED],
    "issuer POST /v1/credentials/search": READS,
    "issuer POST /v1/issuers/{issuer_id}/withdrawals": [Action.EVIDENCE_WITHDRAWN],
    "notifier POST /v1/deliveries/{delivery_id}/send-again": [Action.MAIL_SENT_AGAIN],
    "notifier POST /v1/contacts/erase": [Action.CONTACT_ERASED],
    "verifier POST /v1/verify": PUBLIC,
    "verifier POST /credentials/verify": PUBLIC,
    "verifier POST /presentations/verify": PUBLIC,
}

BY_THEMSELVES = {
    Action.AUTHORITY_PUBLISHED,
    Action.CREDENTIALS_SIGNED,
    Action.STATUS_LIST_SIGNED,
    Action.ISSUER_LIST_SIGNED,
    Action.SIGNING_KEYS_ADOPTED,
    Action.ACCESS_REFUSED,
    Action.ADMINISTRATOR_USED,
}
"""What services do of themselves: publish the keys of the authority, sign, take up keys after a restore, refuse."""


def calls_that_change() -> set[str]:
    """Every call of every service that is no mere reading, from the documents that are made of their routes."""
    found = set()
    for service in ("evidence", "issuer", "notifier", "verifier"):
        paths = json.loads((SOURCE_ROOT / f"docs/api/{service}.json").read_text(encoding="utf-8"))["paths"]
        found |= {
            f"{service} {method.upper()} {path}"
            for path, methods in paths.items()
            for method in methods
            if method not in {"get", "head", "parameters"} or path in HANDS_OUT
        }
    return found


def test_every_command_is_named_with_what_it_leaves_in_an_audit_log() -> None:
    assert OF_COMMANDS.keys() == COMMANDS.keys()


def test_every_call_that_changes_something_is_named_with_what_it_leaves_in_an_audit_log() -> None:
    assert OF_CALLS.keys() == calls_that_change()


def test_every_action_is_of_a_command_or_a_call_or_of_a_service_itself() -> None:
    told = {each for of in (OF_COMMANDS, OF_CALLS) for actions in of.values() for each in actions}
    assert {each for each in told if isinstance(each, Action)} | BY_THEMSELVES == set(Action)


def test_what_is_recorded_of_a_command_says_who_ran_it_and_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "sam")
    monkeypatch.setattr("socket.gethostname", lambda: "office")
    cause = operators_cause("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert (cause.principal, cause.client) == ("operator:sam", "office")
    assert cause.trace == "0af7651916cd43dd8448eb211c80319c"


def test_a_user_without_a_name_is_told_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError("no such user")

    monkeypatch.setattr("getpass.getuser", nobody)
    monkeypatch.setattr("os.getuid", lambda: 10001)
    assert operators_cause().principal == "operator:uid-10001"


class Stores:
    """Stands for both stores of a command: notes what is recorded and published, in order; the log can be away."""

    def __init__(self, *, away: bool) -> None:
        self.done: list[Action | str] = []
        self.entries: list[Entry] = []
        self.away = away

    def __getitem__(self, name: str) -> str:
        return name

    async def record(self, *entries: Entry) -> None:
        if self.away:
            raise AutoReconnect("the log is away")
        self.entries += entries
        self.done += [each.action for each in entries]

    async def publish(self, *_: object) -> None:
        self.done.append("published")

    async def connect(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    @property
    def topics(self) -> "Stores":
        return self

    async def ids(self, _names: object) -> dict[str, str]:
        return {}

    @property
    def log(self) -> Any:
        return lambda _database: self


async def nothing(*_: object) -> None:
    pass


@pytest.fixture(params=[False, True], ids=["log is there", "log is away"])
def stores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Stores:
    made = Stores(away=request.param)
    for module in (dead_letters, republish, promises):
        monkeypatch.setattr(module, "operators_log", made.log)
        monkeypatch.setattr(module.mongo, "connect", lambda *_, **__: made)
        monkeypatch.setattr(module.mongo, "close", nothing)
    return made


def done(stores: Stores, action: Action) -> bool:
    """Whether that was recorded, then done; or, where the log is away, nothing."""
    return stores.done == ([] if stores.away else [action, "published"])


@pytest.fixture
def set_aside(monkeypatch: pytest.MonkeyPatch) -> dead_letters.Letter:
    found = dead_letters.Letter(letter())

    async def letters(*_: object) -> list[dead_letters.Letter]:
        return [found]

    monkeypatch.setattr(dead_letters, "read_letters", letters)
    return found


def test_dead_letters_are_sent_again_once_that_is_recorded(
    stores: Stores, set_aside: dead_letters.Letter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "_publish", stores.publish)
    assert dead_letters.send_again("issuer", why="mended") == (2 if stores.away else 0)
    assert done(stores, Action.DEAD_LETTERS_SENT_AGAIN)
    assert [(each.reason, each.details) for each in stores.entries] == (
        [] if stores.away else [("mended", {"records": {"issuer-evidence": 1}})]
    )


def test_what_a_record_holds_is_shown_once_that_is_recorded(
    stores: Stores, set_aside: dead_letters.Letter, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dead_letters.show("issuer", set_aside.place) == 0
    assert stores.done == []
    capsys.readouterr()
    assert dead_letters.show("issuer", set_aside.place, value=True) == (2 if stores.away else 0)
    assert ('"value"' in capsys.readouterr().out) is not stores.away
    assert stores.done == ([] if stores.away else [Action.DEAD_LETTER_SHOWN])


def test_topics_are_filled_from_the_stores_once_that_is_recorded(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def keys(*_: object, **__: object) -> list[str]:
        await stores.publish()
        return []

    async def known(*_: object) -> SimpleNamespace:
        return SimpleNamespace(ids=SimpleNamespace(event_id=None), announcer=None)

    monkeypatch.setattr(
        republish, "issuer_settings", partial(SimpleNamespace, mongo_url=SimpleNamespace(get_secret_value=str))
    )
    monkeypatch.setattr(republish, "mongo_options", lambda _: {})
    monkeypatch.setattr("bowerbird.authority.Authority.of_stores", known)
    monkeypatch.setattr(republish, "Kafka", lambda *_: stores)
    monkeypatch.setattr(republish, "Publications", lambda *_: SimpleNamespace(kinds=list, damage=Damage()))
    monkeypatch.setattr(republish, "_keys", keys)
    monkeypatch.setattr(republish, "_lists", lambda *_, **__: nothing())
    monkeypatch.setattr(republish, "Refilled", lambda _: SimpleNamespace(note=nothing))
    assert republish.republish(yes=True, reason="the disk is lost") == (1 if stores.away else 0)
    assert done(stores, Action.TOPICS_REPUBLISHED)


async def test_the_copy_of_a_key_is_made_again_once_that_is_recorded(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copies(*_: object, publish: Any, clock: object) -> SimpleNamespace:
        async def again(found: Sequence[object]) -> SimpleNamespace:
            await publish(found)
            return SimpleNamespace(count=len(found))

        return SimpleNamespace(again=again)

    monkeypatch.setattr(promises, "KeyCopies", copies)
    repairs = promises._Repairs(stores, SimpleNamespace())  # type: ignore[arg-type]  # fakes
    key: Any = SimpleNamespace()
    repairs.add_key(key)
    await repairs.copy(key, key)
    assert stores.done == [], "it is an audit that repairs nothing"
    repairs.kafkas["issuer"] = stores  # type: ignore[assignment]  # a fake
    repairs.add_key(key)
    if stores.away:
        with pytest.raises(AutoReconnect):
            await repairs.copy(key, key)
    else:
        await repairs.copy(key, key)
        assert repairs.published == 1
    assert done(stores, Action.TOPICS_REPAIRED)


async def test_what_differs_is_published_again_once_that_is_recorded(stores: Stores) -> None:
    async def publish(events: Sequence[Any], to: Any, trace: str) -> None:
        await to([Outgoing(each, trace) for each in events])

    publications: Any = SimpleNamespace(publish=publish)
    repairs = promises._Repairs(stores, publications)  # type: ignore[arg-type]  # a fake
    repairs.kafkas["issuer"] = stores  # type: ignore[assignment]  # a fake
    event: Any = letter()
    for _ in range(2):
        repairs._held = {"issuer": [event]}
        if stores.away:
            with pytest.raises(AutoReconnect):
                await repairs.publish()
        else:
            await repairs.publish()
    assert stores.done == ([] if stores.away else [Action.TOPICS_REPAIRED, "published", "published"])
