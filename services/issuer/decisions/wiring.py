"""Puts deciding together: the consumer of evidence and withdrawals, the loops over what waits, and the calls."""

from datetime import timedelta

from fastapi import Depends

from libs.access.api_keys import ApiKeys
from libs.common.arrivals import Arrivals
from libs.common.canary import Stage
from libs.common.clock import now
from libs.common.runtime import Plumbing
from libs.contracts import topics
from libs.contracts.events import CanarySubmitted, EvidenceSubmitted, EvidenceWithdrawn, ReconsiderHolding
from libs.contracts.proofs import LEARNER_EVENTS, SUPERSEDING, Proofs
from services.issuer.catalogue.repository import Catalogue
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.repository import MongoCredentials
from services.issuer.credentials.signer import CredentialSigner
from services.issuer.credentials.worker import ChangedLists
from services.issuer.decisions.api import explanation_routes
from services.issuer.decisions.explaining import Explanations
from services.issuer.decisions.holdings import ClosedHoldings, Sweeps
from services.issuer.decisions.learner_events import LearnerEvent, LearnerEvents
from services.issuer.decisions.made_again import MadeAgain
from services.issuer.decisions.parking import ParkedCount
from services.issuer.decisions.ports import StatusEntries
from services.issuer.decisions.published import MongoPublishedDecisions, PublishedHistory
from services.issuer.decisions.reconsidering import Reconsidering
from services.issuer.decisions.repository import MongoDecisions
from services.issuer.decisions.superseding import Superseding
from services.issuer.decisions.waiting import WaitingEvidence
from services.issuer.decisions.withdrawal_requests import WithdrawalRequests
from services.issuer.decisions.withdrawals import Withdrawals
from services.issuer.decisions.withdrawals_api import withdrawal_routes
from services.issuer.decisions.withdrawing import Withdrawing
from services.issuer.decisions.worker import Awarding
from services.issuer.settings import ServiceSettings
from services.issuer.synthetic_awards import SyntheticAwards

_CONTRACTS: list[type[LearnerEvent]] = [EvidenceSubmitted, EvidenceWithdrawn, ReconsiderHolding]


def add_deciding(
    plumbing: Plumbing,
    settings: ServiceSettings,
    *,
    keys: ApiKeys,
    decisions: MongoDecisions,
    published: MongoPublishedDecisions,
    credentials: MongoCredentials,
    known: Catalogue,
    signer: CredentialSigner,
    entries: StatusEntries,
    lists: ChangedLists,
    announcer: Announcer,
) -> Sweeps:
    """Register what decides evidence and applies withdrawals, and the calls that ask for that and explain it.

    Return what goes through those who hold what a new achievement asks for.
    """
    proofs, arrivals = learner_proofs(plumbing), Arrivals()
    history = PublishedHistory(published, decisions, credentials, plumbing.ids)
    awarding = Awarding(
        ids=plumbing.ids,
        decisions=decisions,
        history=history,
        credentials=credentials,
        catalogue=known,
        signer=signer,
        entries=entries,
        announcer=announcer,
        superseding=Superseding(
            credentials=credentials, lists=lists, announcer=announcer, stacked=ClosedHoldings(known, proofs)
        ),
        audit=plumbing.audit,
        publish=plumbing.kafka.publish,
        clock=now,
        longest_wait=timedelta(seconds=settings.waiting_seconds),
        longest_suspended=timedelta(days=settings.suspended_waiting_days),
    )
    again = MadeAgain(
        awarding,
        decisions=decisions,
        history=history,
        credentials=credentials,
        lists=lists,
        announcer=announcer,
        audit=plumbing.audit,
    )
    reconsidering = Reconsidering(awarding, again, credentials, now)
    learner_events = LearnerEvents(
        awarding,
        Withdrawing(awarding, again, now),
        reconsidering,
        proofs=proofs,
        superseding_proofs=Proofs(plumbing.authority_key(SUPERSEDING)),
    )
    plumbing.consume(
        name="evidence",
        topics=[topics.EVIDENCE_SUBMITTED],
        bulk=topics.EVIDENCE_BULK,
        contracts=_CONTRACTS,
        handle=arrivals.after(learner_events.handle),
        members=3,  # some compute while the writes of others are on their way
        canary=Stage("decided", CanarySubmitted, SyntheticAwards(plumbing.ids, now).award),
    )
    waiting = WaitingEvidence(decisions, awarding=awarding, catalogue=known, clock=now)
    plumbing.repeat("waiting-evidence", waiting.tick)
    plumbing.repeat("parked-evidence", ParkedCount(decisions).tick)
    explanations = Explanations(ids=plumbing.ids, catalogue=known, decisions=decisions, credentials=credentials)
    plumbing.app.include_router(explanation_routes(keys, explanations))
    withdrawals = Withdrawals(
        ids=plumbing.ids,
        decisions=decisions,
        requests=WithdrawalRequests(plumbing.database),
        audit=plumbing.audit,
        arrivals=arrivals,
        proofs=proofs,
        publish=plumbing.kafka.publish,
        clock=now,
    )
    plumbing.app.include_router(
        withdrawal_routes(keys, withdrawals), dependencies=[Depends(plumbing.preparation.require_for_changes)]
    )
    sweeps = Sweeps(
        plumbing.database, credentials=credentials, proofs=proofs, publish=plumbing.kafka.publish, clock=now
    )
    plumbing.repeat("sweeps", sweeps.tick)
    return sweeps


def learner_proofs(plumbing: Plumbing) -> Proofs:
    """Return what proves events on the topic of evidence that this service alone makes."""
    return Proofs(plumbing.authority_key(LEARNER_EVENTS))
