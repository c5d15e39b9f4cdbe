"""A wrong award that a right one takes the place of: both change at once, each names the other, or nothing changes."""

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.cloudevents import Outgoing, body_of
from libs.contracts.events import (
    ByHand,
    CredentialDocument,
    CredentialIssued,
    CredentialRevoked,
    EvidenceSubmitted,
    Outcome,
    ReconsiderHolding,
    Suspension,
)
from libs.contracts.proofs import ForgedEventError
from libs.contracts.reasons import AwardReason, RevocationReason, SuspensionReason
from libs.contracts.results import SoloLevel
from services.issuer.credentials.credential import Credential
from services.issuer.decisions.learner_events import LearnerEvent
from tests.ids import SEALING, SUPERSEDING_PROOFS, event_id
from tests.issuer_doubles import NOW, evidence, issuer
from tests.unit.test_issuer_awarding import DyingDecisions, KilledError, outcomes, pieces_kept
from tests.unit.test_issuer_withdrawing import School, decided, withdrawn

M, R, E = SoloLevel.MULTISTRUCTURAL, SoloLevel.RELATIONAL, SoloLevel.EXTENDED_ABSTRACT
WHO = "key:wattle/registry"


def instead(row: int, of: UUID, level: SoloLevel = R, **changes: object) -> EvidenceSubmitted:
    """An award by hand in the place of this credential, as the evidence service publishes it."""
    hand = ByHand(reason=AwardReason.CORRECTION, awarded_by=WHO, supersedes=of)
    event = SUPERSEDING_PROOFS.proven(evidence(row, level, **({"by_hand": hand} | changes)))
    return EvidenceSubmitted.model_validate_json(body_of(event))


async def awarded(school: School, *events: LearnerEvent) -> Credential:
    """Apply these; return the credential that the last of them issued."""
    (*_, last) = decided(await school.handle(*events))
    assert last.credential_id is not None
    return school.store.credentials.stored[last.credential_id]


def follow_up(out: list[Outgoing]) -> list[ReconsiderHolding]:
    return [each.event for each in out if isinstance(each.event, ReconsiderHolding)]


@pytest.mark.parametrize(
    ("level", "what"),
    [(M, "resilience"), (E, "resilience"), (R, "resilience"), (R, "care"), (E, "wit")],
    ids=["lower", "higher", "the same", "another achievement", "under a rule"],
)
async def test_the_right_award_ends_the_wrong_one_and_each_names_the_other(level: SoloLevel, what: str) -> None:
    school = School()
    old = await awarded(school, evidence(1, R))
    out = await school.handle(instead(2, old.credential_id, level, achievement=what))
    (told,) = decided(out)
    assert (told.outcome, told.supersedes) == (Outcome.ISSUED, old.credential_id)
    assert told.credential_id is not None
    new, ended = (school.store.credentials.stored[each] for each in (told.credential_id, old.credential_id))
    assert (new.supersedes, new.revocation) == (old.credential_id, None)
    assert ended.revocation == new.superseding
    assert ended.revocation is not None
    assert (ended.revocation.reason, ended.revocation.at, ended.revocation.successor_id) == (
        RevocationReason.SUPERSEDED, new.issued_at, new.credential_id,
    )  # fmt: skip
    (issued,) = (each.event for each in out if isinstance(each.event, CredentialIssued))
    (revoked,) = (each.event for each in out if isinstance(each.event, CredentialRevoked))
    assert (issued.supersedes, revoked.superseded_by) == (old.credential_id, new.credential_id)
    documents = [each.event for each in out if isinstance(each.event, CredentialDocument)]
    assert [(each.credential_id, each.superseded_by) for each in documents] == [
        (new.credential_id, None), (old.credential_id, new.credential_id),
    ]  # fmt: skip
    assert [SEALING.open(each) for each in documents] == [new, ended], "a database that was set back has it again"
    assert school.lists.changes == [old.status.list_id]


async def test_the_audit_log_says_who_asked_before_anything_is_recorded() -> None:
    school = School()
    old = await awarded(school, evidence(1))
    new = await awarded(school, instead(2, old.credential_id, M))
    entry = school.audit.entries[-1]
    assert (entry.subject, entry.reason, entry.tenants) == (
        f"credential {old.credential_id}", "superseded", ("wattle",),
    )  # fmt: skip
    assert entry.details == {"superseded_by": str(new.credential_id), "asked_by": WHO, "why": "correction"}


async def test_what_cannot_be_replaced_is_refused_and_the_row_says_why() -> None:
    school = School()
    old, other = await awarded(school, evidence(1)), await awarded(school, evidence(2, learner="s2"))
    unknown = [
        instead(3, UUID(int=9)),
        instead(4, other.credential_id),
        instead(5, old.credential_id, issuer_id="banksia"),
    ]
    school.catalogue.published.append(issuer("banksia"))
    school.catalogue.versions.append(school.catalogue.versions[0].model_copy(update={"owner": "banksia"}))
    told = decided(await school.handle(*unknown))
    assert [(each.outcome, each.reason) for each in told] == [(Outcome.REFUSED, "superseded_unknown")] * 3
    await awarded(school, instead(6, old.credential_id, M))
    (again,) = decided(await school.handle(instead(7, old.credential_id, E)))
    assert (again.outcome, again.reason, again.credential_id) == (Outcome.REFUSED, "superseded_before", None)
    school.store.credentials.revoke(other.credential_id)
    (revoked,) = decided(await school.handle(instead(8, other.credential_id, E, learner="s2")))
    assert (revoked.outcome, revoked.reason) == (Outcome.REFUSED, "superseded_revoked")
    assert len(school.active) == 1


async def test_the_wrong_award_stays_where_the_right_one_is_not_issued() -> None:
    school = School()
    old, higher = await awarded(school, evidence(1, M)), await awarded(school, evidence(2, E))
    rows = [
        (instead(3, old.credential_id, SoloLevel.UNISTRUCTURAL), Outcome.NOT_YET, "below_required_level"),
        (instead(4, old.credential_id, R), Outcome.DUPLICATE, "higher_level_held"),
        (instead(5, old.credential_id, achievement="unheard-of"), Outcome.WAITING, "unknown_achievement"),
        (instead(6, old.credential_id, achievement="care", link="no link"), Outcome.REFUSED, "cannot_be_written"),
    ]
    for piece, outcome, reason in rows:
        (told,) = decided(await school.handle(piece))
        assert (told.outcome, told.reason, told.supersedes) == (outcome, reason, None)
    assert school.store.credentials.stored == {each.credential_id: each for each in (old, higher)}
    await school.handle(withdrawn(evidence(2, E)))
    assert old.credential_id in {
        each.credential_id for each in school.store.credentials.stored.values() if each.revocation is None
    }, "what was to take its place and came to nothing is over"


async def test_what_waits_takes_the_place_once_it_is_awarded() -> None:
    school = School()
    old = await awarded(school, evidence(1))
    suspension = Suspension(reason=SuspensionReason.UNDER_REVIEW, since=NOW)
    known = school.catalogue.published[0]
    school.catalogue.published[0] = known.model_copy(update={"suspension": suspension})
    (told,) = decided(await school.handle(instead(2, old.credential_id, E)))
    assert (told.outcome, old.revocation) == (Outcome.WAITING, None)
    school.catalogue.published[0] = known
    published: list[Outgoing] = []
    await school.awarding(published).reconsider(list(school.store.waiting.values()), NOW)
    assert [each.supersedes for each in decided(published)] == [old.credential_id]
    assert school.active == {("wattle/resilience/1", E)}
    assert [each.event.superseded_by for each in published if isinstance(each.event, CredentialRevoked)] == [
        school.row(2).credential_id
    ]


async def test_what_stacked_on_the_wrong_award_is_looked_at_again() -> None:
    school = School()
    await school.handle(evidence(1), evidence(2, achievement="wit"), evidence(3, achievement="wit"))
    stacked = {"wattle/character/1", "wattle/diploma/1"}
    assert stacked <= {achievement for achievement, _ in school.active}
    (old,) = (each for each in school.store.credentials.stored.values() if each.achievement == "wattle/resilience/1")
    await school.handle(*follow_up(await school.handle(instead(4, old.credential_id, E))))
    assert stacked <= {achievement for achievement, _ in school.active}, "the right one is held in its place"
    (right,) = (each for each in school.store.credentials.stored.values() if each.supersedes == old.credential_id)
    again = await school.handle(instead(5, right.credential_id, R, achievement="care"))
    await school.handle(*follow_up(again))
    assert {achievement for achievement, _ in school.active} == {"wattle/wit/1", "wattle/care/1"}


async def test_what_the_wrong_award_was_made_of_counts_for_no_other() -> None:
    school = School()
    old = await awarded(school, evidence(1, E, achievement="wit"), evidence(2, E, achievement="wit"))
    await school.handle(instead(3, old.credential_id, M, achievement="wit"))
    (told,) = decided(await school.handle(evidence(4, E, achievement="wit")))
    assert (told.outcome, told.reason) != (Outcome.ISSUED, None)
    assert school.active == {("wattle/wit/1", M)}


async def test_evidence_that_asks_to_end_a_badge_without_the_proof_of_who_was_asked_is_not_decided() -> None:
    school = School()
    old = await awarded(school, evidence(1))
    good = instead(2, old.credential_id)
    for forged in (
        good.model_copy(update={"proof": None}),
        good.model_copy(update={"activity": "Another"}),
        good.model_copy(update={"by_hand": ByHand(reason=AwardReason.APPEAL, awarded_by=WHO, supersedes=UUID(int=1))}),
    ):
        with pytest.raises(ForgedEventError):
            await school.handle(forged)
    assert school.store.credentials.stored == {old.credential_id: old}


pieces = st.lists(
    st.tuples(
        st.sampled_from([M, R, E]),
        st.sampled_from(["s1", "s2"]),
        st.sampled_from(["resilience", "resilience", "wit", "care"]),
        # In the place of what a piece so many before has earned.
        st.sampled_from([None, None, 1, 2]),
    ),
    min_size=1,
    max_size=10,
)


@settings(deadline=None)
@given(
    drawn=pieces,
    cuts=st.lists(st.integers(1, 4), min_size=1, max_size=10),
    deaths=st.lists(
        st.sampled_from(["", "before deciding", "before recording", "after recording", "before committing"]),
        max_size=10,
    ),
)
async def test_however_it_is_cut_and_wherever_it_dies_the_same_awards_take_the_same_places(
    drawn: list[tuple[SoloLevel, str, str, int | None]], cuts: list[int], deaths: list[str]
) -> None:
    calm, stream = School(), list[LearnerEvent]()
    for row, (level, learner, what, back) in enumerate(drawn, 1):
        earned = None if back is None or back >= row else calm.row(row - back).credential_id
        known = {"learner": learner, "achievement": what}
        piece = evidence(row, level, **known) if earned is None else instead(row, earned, level, **known)
        following: list[LearnerEvent] = [piece]
        while following:
            stream.append(following.pop(0))
            following += follow_up(await calm.handle(stream[-1]))

    store = DyingDecisions()
    school, position, turn = School(store), 0, 0
    while position < len(stream):
        end = min(len(stream), position + cuts[turn % len(cuts)])
        death = deaths[turn] if turn < len(deaths) else ""
        turn += 1
        store.dies = death
        try:
            await school.handle(*stream[position:end])
        except KilledError:
            continue
        store.dies = ""
        if death != "before committing":
            position = end

    assert outcomes(store) == outcomes(calm.store)
    assert ended(store.credentials.stored.values()) == ended(calm.store.credentials.stored.values())
    assert pieces_kept(store) == pieces_kept(calm.store)
    told = {(event_id(each.event), each.event.model_dump_json()) for each in school.published}
    assert len(told) == len({event_id for event_id, _ in told}), "one event id, two contents"
    gone = {each.event.credential_id for each in school.published if isinstance(each.event, CredentialRevoked)}
    assert gone == {each.credential_id for each in store.credentials.stored.values() if each.revocation is not None}


def ended(credentials: Iterable[Credential]) -> dict[UUID, tuple[object, object]]:
    """Return what each took the place of, and how it ended, whenever that was."""
    return {
        each.credential_id: (each.supersedes, each.revocation and replace(each.revocation, at=NOW))
        for each in credentials
    }
