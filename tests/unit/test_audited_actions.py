"""What changes state is in the audit log before it takes effect: who, what, why, trace, client; or it is not done."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from pymongo.errors import AutoReconnect

from libs.access.api_keys import Caller
from libs.access.key_text import key_id
from libs.access.repository import StoredKey
from libs.access.scopes import Scope
from libs.access.signatures import GrantSigner
from libs.audit.entry import Action, Cause, Entry
from libs.common.arrivals import Arrivals
from libs.common.errors import NotFoundError
from libs.contracts.cloudevents import Outgoing
from libs.contracts.events import (
    ApiKeyGranted,
    ApiKeyWithdrawn,
    EvidenceWithdrawn,
    IssuerPublished,
    LearnerContact,
    MailDomainsSet,
    OrganisationPublished,
    Outcome,
    Suspension,
)
from libs.contracts.organisations import Closing, ClosingReason, OrganisationKind
from libs.contracts.proofs import Proofs
from libs.contracts.reasons import RevocationReason, SuspensionReason, TakeDownReason, WithdrawalReason
from services.issuer.access.administration import By, EndReason, KeyAdministration
from services.issuer.access.renewal import GrantRenewal, subject_of
from services.issuer.catalogue.publications import Publications
from services.issuer.catalogue.repository import CatalogueEvent
from services.issuer.credentials.closing import Closings
from services.issuer.decision_ids import PieceId
from services.issuer.decisions.decision import Decision
from services.issuer.decisions.withdrawals import Withdrawals
from services.issuer.keys.lifecycle import KeyLifecycle
from services.issuer.keys.states import KeyState, SigningKey
from services.issuer.mail_domains.setting import MailDomains
from services.notifier.contacts.erasing import Erasing
from services.notifier.deliveries.schedule import State
from tests.contract.test_notifier_http import DELIVERY, StoredDeliveries, resending
from tests.ids import COMMANDS
from tests.issuer_doubles import NOW, TRACE, MemoryDecisions, achievement, evidence, issuer, received
from tests.unit.test_issuer_awarding import awarding
from tests.unit.test_issuer_closing import World as Credentials

OFFICE = Cause("key:wattle/Office", "0af7651916cd43dd8448eb211c80319c", "0123456789abcdef", "192.0.2.1")
WHY = "the yearly change"
CALLER = Caller("wattle", frozenset(Scope) - {Scope.ISSUERS_WRITE}, "Office", "0123456789abcdef", NOW + timedelta(9))


class House:
    """Notes in their order what is recorded and what is done; an outage of the log can be had."""

    def __init__(self, *, away: bool = False) -> None:
        self.done: list[object] = []
        self.away = away

    async def record(self, *entries: Entry) -> None:
        if self.away:
            raise AutoReconnect("the log is away")
        self.done += entries

    async def of_actions(self, issuer_id: str, actions: Sequence[Action]) -> list[Entry]:
        entries = [each for each in self.done if isinstance(each, Entry)]
        return [each for each in entries if issuer_id in each.tenants and each.action in actions]

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        self.done += [each.event for each in outgoing]

    def note(self, what: object) -> None:
        self.done.append(what)


class Keys:
    """API keys that arrive as soon as they are published."""

    def __init__(self, house: House, clock: Callable[[], datetime] = lambda: NOW) -> None:
        self.house = house
        self.clock = clock
        self.keys = {"ab" * 32: stored_key("ab" * 32, clock() + timedelta(days=5))}

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        await self.house.publish(outgoing)
        for each in outgoing:
            if isinstance(each.event, ApiKeyGranted):
                self.keys[each.event.key_sha256] = stored_key(each.event.key_sha256, each.event.expires_at)
            elif isinstance(each.event, ApiKeyWithdrawn):
                ended = replace(self.keys[each.event.key_sha256], ends_at=each.event.ends_at)
                self.keys[ended.sha256] = replace(ended, end_reason=each.event.reason)

    async def of_issuer(self, issuer_id: str) -> list[StoredKey]:
        return list(self.keys.values())

    async def not_found(self, issuer_id: str, id_: str, what: str) -> NotFoundError:
        return NotFoundError.for_caller(what)

    @property
    def administration(self) -> KeyAdministration:
        return KeyAdministration(
            self,  # type: ignore[arg-type]  # a fake
            signer=GrantSigner(b"x" * 32),
            audit=self.house,  # type: ignore[arg-type]  # a fake
            arrivals=Arrivals(),
            publish=self.publish,
            clock=self.clock,
        )


def stored_key(sha256: str, ends: datetime) -> StoredKey:
    scopes = frozenset({"evidence:read"})
    return StoredKey(sha256, "wattle", "Office", scopes, NOW, "administrator:a", None, ends, ends)


BY = By(CALLER, OFFICE, TRACE, WHY)


async def grant(house: House) -> None:
    await Keys(house).administration.make("wattle", "Sensor", [Scope.EVIDENCE_READ], None, BY)


async def rotate(house: House) -> None:
    await Keys(house).administration.rotate("wattle", key_id("ab" * 32), timedelta(0), BY)


async def withdraw(house: House) -> None:
    await Keys(house).administration.withdraw("wattle", key_id("ab" * 32), EndReason.LEAKED, with_made=False, by=BY)


def closings(house: House) -> tuple[Any, Closings]:
    credentials = Credentials()

    async def publish(outgoing: Sequence[Outgoing]) -> None:
        await house.publish(outgoing)
        await credentials.publish(outgoing)

    parts: Any = {"credentials": credentials, "requests": credentials, "audit": house, "arrivals": Arrivals()}
    found = Closings(**parts, commands=COMMANDS, publish=publish, clock=lambda: NOW, new_id=uuid4)
    return credentials.credential.credential_id, found


async def revoke(house: House) -> None:
    asked, found = closings(house)
    await found.revoke(asked, CALLER, RevocationReason.WRONG_LEARNER, None, cause=OFFICE, trace=TRACE)


async def take_down(house: House) -> None:
    asked, found = closings(house)
    await found.take_down(asked, CALLER, TakeDownReason.SAFETY, None, cause=OFFICE, trace=TRACE)


class Claims:
    """The collection of publications, and the catalogue in which each arrives at once."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def find_one(self, *_: object, **__: object) -> None:
        return None

    async def insert_many(self, documents: Sequence[object], **_: object) -> None:
        self.house.note("claimed")

    async def update_one(self, *_: object) -> None:
        pass

    async def has_arrived(self, _event: object) -> bool:
        return "claimed" in self.house.done


def publish(event: CatalogueEvent, action: Action) -> Callable[[House], Awaitable[None]]:
    async def published(house: House) -> None:
        await publications(house).publish(event, TRACE, cause=OFFICE, action=action, otherwise="conflict")

    return published


SCHOOL = OrganisationPublished(
    organisation_id="wattle",
    version=1,
    kind=OrganisationKind.SCHOOL,
    name="Wattle",
    closing=Closing(last_day=NOW.date(), reason=ClosingReason.CLOSED),
    registered_at=NOW,
    published_at=NOW,
)
SUSPENDED = issuer().model_copy(update={"suspension": Suspension(reason=SuspensionReason.SECURITY, since=NOW)})


def publications(house: House) -> Publications:
    claims: Any = Claims(house)
    return Publications(
        {"publications": claims},  # type: ignore[arg-type]  # a fake
        catalogue=claims,
        audit=house,
        arrivals=Arrivals(),
        publish=house.publish,
        clock=lambda: NOW,
    )


class SigningKeysOfOne:
    """An issuer with an active key, its repository and its publication."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.known = [SigningKey("z1", "wattle", KeyState.ACTIVE, {KeyState.ACTIVE: NOW}, published=True)]

    async def current(self, issuer_id: str) -> object:
        return issuer(issuer_id)

    async def publish_keys(self, *_: object) -> None:
        self.house.note("announced")

    async def of_issuer(self, _issuer_id: str) -> list[SigningKey]:
        return self.known

    async def create(self, issuer_id: str, state: KeyState, _at: object) -> tuple[SigningKey, bool]:
        self.house.note("created")
        self.known.append(SigningKey("z2", issuer_id, state, {state: NOW}, published=True))
        return self.known[-1], True

    async def update(self, *_: object) -> bool:
        self.house.note("updated")
        return True

    def forget(self, _issuer_id: str) -> None:
        pass

    async def confirm(self, _issuer_id: str) -> None:
        self.house.note("copied")

    @property
    def lifecycle(self) -> KeyLifecycle:
        parts: dict[str, Any] = {"issuers": self, "signing_keys": self, "repository": self, "audit": self.house}
        return KeyLifecycle(**parts, copies=self, clock=lambda: NOW + timedelta(hours=1))  # type: ignore[arg-type]  # a fake


async def add_signing_key(house: House) -> None:
    await SigningKeysOfOne(house).lifecycle.add("wattle", TRACE, OFFICE, reason=WHY)


async def distrust_signing_key(house: House) -> None:
    keys = SigningKeysOfOne(house)
    keys.known.append(SigningKey("z2", "wattle", KeyState.NEXT, {KeyState.NEXT: NOW}, published=True))
    await keys.lifecycle.distrust("wattle", "z1", None, TRACE, OFFICE, reason=WHY)


class Sent(StoredDeliveries):
    """A delivery that was sent a day ago."""

    def __init__(self, house: House) -> None:
        super().__init__(state=State.SENT, changed_at=NOW - timedelta(days=1))
        self.house = house

    async def send_again(self, *args: Any) -> bool:
        self.house.note("sent")
        return await super().send_again(*args)


async def send_mail_again(house: House) -> None:
    caller = Caller("northside", frozenset())
    await resending(Sent(house), house).send_again(DELIVERY, caller, OFFICE)  # type: ignore[arg-type]  # a fake


class Contacts:
    """One learner's contact, and the ledger of erasures."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def stored(self, learner_ids: Collection[UUID]) -> list[LearnerContact]:
        return [LearnerContact(learner_id=each, issuer_id="northside", changed_at=NOW) for each in learner_ids]

    async def note(self, erased: Mapping[UUID, datetime]) -> None:
        self.house.note(erased)

    async def all_read(self) -> None:
        """Nothing is on its way."""


async def erase_contact(house: House) -> None:
    contacts = Contacts(house)
    erasing = Erasing(contacts, contacts, house, house.publish, all_read=contacts.all_read, clock=lambda: NOW)
    await erasing.erase({uuid4()}, "northside", OFFICE, TRACE)


class Watched(MemoryDecisions):
    """A store that notes what is recorded in it."""

    house: House

    async def record(self, *args: Any) -> bool:
        self.house.note("recorded")
        return await super().record(*args)


async def sign(house: House) -> None:
    store = Watched()
    store.house = house
    published: list[Outgoing] = []
    await awarding(store, published, audit=house).handle(received([evidence()]))  # type: ignore[arg-type]  # a fake
    house.done += [each.event for each in published]


class Domains:
    """The domains of an issuer's mail, set as soon as they are published; and the catalogue that knows the issuer."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def issuers(self, _ids: object) -> dict[str, IssuerPublished]:
        return {"wattle": issuer()}

    async def of_issuer(self, _issuer_id: str) -> MailDomainsSet | None:
        return next((each for each in self.house.done if isinstance(each, MailDomainsSet)), None)


async def set_mail_domains(house: House) -> None:
    known: Any = Domains(house)
    parts: dict[str, Any] = {"catalogue": known, "audit": house, "arrivals": Arrivals(), "publish": house.publish}
    await MailDomains(known, **parts, clock=lambda: NOW).set("wattle", ["school.example"], OFFICE, TRACE, WHY)


class Granted:
    """A key that another secret signed; the log knows who granted it."""

    def __init__(self, house: House) -> None:
        self.record = house.record
        grant: dict[str, Any] = {"key_sha256": "ab" * 32, "issuer_id": "wattle", "name": "Office", "granted_at": NOW}
        grant |= {"scopes": ("evidence:read",), "granted_by": "administrator:a", "expires_at": NOW}
        self.grant = GrantSigner(b"y" * 32).sign(ApiKeyGranted(**grant))

    async def subjects(self, _action: Action) -> set[str]:
        return {subject_of(self.grant)}

    async def everything(self, _damage: object) -> AsyncIterator[ApiKeyGranted]:
        yield self.grant


async def sign_keys_anew(house: House) -> None:
    granted: Any = Granted(house)
    renewal = GrantRenewal(granted, signer=GrantSigner(b"x" * 32), audit=granted, publish=house.publish)
    await renewal.run(OFFICE, TRACE)


class Decided:
    """The decision on one piece, which is withdrawn as soon as that is published."""

    def __init__(self, house: House) -> None:
        self.house = house
        said: Any = {"outcome": Outcome.ISSUED, "reason": None, "achievement": None, "rule_version": "", "sequence": 1}
        said |= {"credential_id": None, "owns_evidence": True, "waits_until": None, "decided_at": NOW}
        self.decision = Decision(evidence=evidence(1), **said)

    async def newest(self, pieces: Iterable[PieceId]) -> dict[PieceId, Decision]:
        withdrawn = any(isinstance(each, EvidenceWithdrawn) for each in self.house.done)
        outcome = Outcome.WITHDRAWN if withdrawn else Outcome.ISSUED
        return {each: replace(self.decision, outcome=outcome) for each in pieces}

    async def owners(self, _evidence_ids: object) -> dict[UUID, object]:
        return {}

    async def keep(self, requests: Iterable[EvidenceWithdrawn]) -> None:
        self.house.note([each.submission_id for each in requests])


async def withdraw_evidence(house: House) -> None:
    decided = Decided(house)
    parts: Any = {"decisions": decided, "requests": decided, "audit": house, "arrivals": Arrivals(), "ids": None}
    withdrawals = Withdrawals(**parts, proofs=Proofs(bytes(32)), publish=house.publish, clock=lambda: NOW)
    piece = decided.decision.decision_id.piece
    await withdrawals.withdraw("wattle", [piece], WithdrawalReason.WRONG_LEARNER, cause=OFFICE, trace=TRACE)


ACTIONS: dict[Action, Callable[[House], Awaitable[None]]] = {
    Action.API_KEY_GRANTED: grant,
    Action.API_KEY_WITHDRAWN: withdraw,
    Action.CREDENTIAL_REVOKED: revoke,
    Action.CREDENTIAL_TAKEN_DOWN: take_down,
    Action.EVIDENCE_WITHDRAWN: withdraw_evidence,
    Action.ISSUER_PUBLISHED: publish(issuer(), Action.ISSUER_PUBLISHED),
    Action.ISSUER_SUSPENDED: publish(SUSPENDED, Action.ISSUER_SUSPENDED),
    Action.ISSUER_RESUMED: publish(issuer(), Action.ISSUER_RESUMED),
    Action.ACHIEVEMENT_PUBLISHED: publish(achievement(), Action.ACHIEVEMENT_PUBLISHED),
    Action.ORGANISATION_PUBLISHED: publish(SCHOOL, Action.ORGANISATION_PUBLISHED),
    Action.ORGANISATION_RENAMED: publish(SCHOOL, Action.ORGANISATION_RENAMED),
    Action.ORGANISATION_CLOSED: publish(SCHOOL, Action.ORGANISATION_CLOSED),
    Action.ORGANISATION_REOPENED: publish(SCHOOL, Action.ORGANISATION_REOPENED),
    Action.SIGNING_KEY_ADDED: add_signing_key,
    Action.SIGNING_KEY_CHANGED: distrust_signing_key,
    Action.MAIL_SENT_AGAIN: send_mail_again,
    Action.CONTACT_ERASED: erase_contact,
    Action.CREDENTIALS_SIGNED: sign,
    Action.MAIL_DOMAINS_SET: set_mail_domains,
    Action.API_KEYS_SIGNED_ANEW: sign_keys_anew,
}
ELSEWHERE = {
    Action.SIGNING_KEYS_REWRAPPED: "test_issuer_rewrapping.py, with the sealed keys that it needs",
    Action.PARTNER_ADMITTED: "test_secured_stores.py, with a broker that has an authorizer",
    Action.PARTNER_WITHDRAWN: "likewise",
    Action.STORE_ACCESS_CHANGED: "likewise",
    Action.AWARDED_BY_HAND: "test_award_calls.py, with the evidence service that it needs",
    Action.CREDENTIALS_EXPORTED: "test_credential_export.py, by the call",
    Action.EVIDENCE_RELEASED: "test_issuer_key_storage.py, by the command",
    Action.SIGNING_KEYS_ADOPTED: "test_issuer_key_copies.py, with the copies that it needs",
    Action.MAILS_RELEASED: "test_notifier_deliveries.py, with the held deliveries that it needs",
    Action.MAILS_DISCARDED: "likewise",
    Action.AUTHORITY_PUBLISHED: "test_issuer_key_storage.py, with the keys that it needs",
    Action.STATUS_LIST_SIGNED: "test_audited_lists.py, with what is signed",
    Action.ISSUER_LIST_SIGNED: "likewise",
    Action.ADMINISTRATOR_ADDED: "test_api_keys.py, with the file that names administrators",
    Action.ADMINISTRATOR_REMOVED: "likewise",
    Action.ADMINISTRATOR_USED: "likewise",
    Action.DATABASES_BACKED_UP: "test_backup.py, with the databases that it needs",
    Action.DATABASES_RESTORED: "likewise: it is restored with them",
    Action.TOPICS_REPUBLISHED: "test_audited_callers.py, by the command",
    Action.TOPICS_REPAIRED: "likewise",
    Action.DEAD_LETTER_SHOWN: "likewise",
    Action.DEAD_LETTERS_SENT_AGAIN: "likewise",
    Action.ACCESS_REFUSED: "nothing is done: test_audit.py",
}


def test_every_action_there_is_has_its_case_here_or_is_named_with_where_it_is_shown() -> None:
    assert {*ACTIONS, *ELSEWHERE} == set(Action)
    assert not ACTIONS.keys() & ELSEWHERE.keys()


@pytest.mark.parametrize("action", ACTIONS)
async def test_each_action_is_recorded_with_its_cause_before_anything_of_it_is_done(action: Action) -> None:
    house = House()
    await ACTIONS[action](house)
    first, *others = house.done
    assert isinstance(first, Entry)
    assert others, "something was done"
    assert first.action is action
    expected = Cause.of_service("issuer", OFFICE.trace) if action is Action.CREDENTIALS_SIGNED else OFFICE
    assert first.cause == expected
    assert first.subject
    assert first.tenants in {("wattle",), ("northside",)}


# Whoever publishes says what, and not why.
WITHOUT_WHY = {Action.ISSUER_PUBLISHED, Action.ISSUER_RESUMED, Action.ACHIEVEMENT_PUBLISHED, Action.MAIL_SENT_AGAIN}
WITHOUT_WHY |= {Action.API_KEYS_SIGNED_ANEW, Action.ORGANISATION_PUBLISHED, Action.CONTACT_ERASED}
WITHOUT_WHY |= {Action.ORGANISATION_RENAMED, Action.ORGANISATION_REOPENED}


@pytest.mark.parametrize("action", ACTIONS)
async def test_why_it_is_done_stands_in_the_entry_of_whatever_is_not_published(action: Action) -> None:
    house = House()
    await ACTIONS[action](house)
    entries = [each for each in house.done if isinstance(each, Entry)]
    assert all(each.reason for each in entries) or action in WITHOUT_WHY


@pytest.mark.parametrize("act", [*ACTIONS.values(), rotate])
async def test_what_cannot_be_recorded_is_not_done(act: Callable[[House], Awaitable[None]]) -> None:
    house = House(away=True)
    with pytest.raises(AutoReconnect):
        await act(house)
    assert house.done == []


async def test_a_rotation_records_the_new_key_and_the_end_of_the_old_one() -> None:
    house = House()
    await rotate(house)
    recorded = [(each.action, each.reason) for each in house.done if isinstance(each, Entry)]
    assert recorded == [(Action.API_KEY_GRANTED, WHY), (Action.API_KEY_WITHDRAWN, "rotated")]
    kinds = [type(each) for each in house.done]
    assert kinds == [Entry, ApiKeyGranted, Entry, ApiKeyWithdrawn]
