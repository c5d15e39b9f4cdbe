"""The issuer's own record beside a published document: it comes back whole, and opens for nothing else."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.cloudevents import body_of
from libs.contracts.events import CredentialDocument
from libs.contracts.reasons import RevocationReason, TakeDownReason
from libs.contracts.results import SoloLevel
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.credential import Credential, Revocation, TakeDown
from services.issuer.credentials.sealing import RecordDoesNotOpenError, RecordSealing
from services.issuer.decision_ids import DecisionId
from services.issuer.status.entry import StatusEntry
from services.issuer.urls import Urls
from tests.ids import SEALING
from tests.issuer_doubles import TRACE

ANNOUNCER = Announcer(Urls("https://badges.example"), SEALING)
moments = st.integers(1, 4_000_000_000_000).map(
    lambda each: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=each)
)
some_ids = st.integers(1, 2**128 - 1).map(lambda each: UUID(int=each))
credentials = st.builds(
    Credential,
    credential_id=some_ids,
    issuer_id=st.just("wattle"),
    learner_id=some_ids,
    holding_id=some_ids,
    achievement=st.just("wattle/resilience/1"),
    level=st.none() | st.sampled_from(SoloLevel),
    evidence_id=st.none() | some_ids,
    decision_id=st.builds(DecisionId, some_ids, st.integers(1, 2**32 - 1), st.integers(1, 2**16 - 1)),
    status=st.builds(StatusEntry, st.sampled_from(["wattle-1", "1764325386-12"]), st.integers(0, 2**31)),
    issued_at=moments,
    document=st.none() | st.text(min_size=1, max_size=50),
    revocation=st.none() | st.builds(Revocation, moments, st.sampled_from(RevocationReason), st.none() | some_ids),
    take_down=st.none() | st.builds(TakeDown, moments, st.sampled_from(TakeDownReason), st.none() | some_ids),
)


def published(credential: Credential) -> CredentialDocument:
    return CredentialDocument.model_validate_json(body_of(ANNOUNCER.document(credential, TRACE).event))


@given(credentials)
def test_a_published_credential_comes_back_whole(credential: Credential) -> None:
    assert SEALING.open(published(credential)) == credential


@given(credentials)
def test_what_is_sealed_again_is_the_same_and_short(credential: Credential) -> None:
    event = published(credential)
    assert event == published(credential)
    assert event.record is not None
    assert len(event.record) < 330


@given(credentials, st.sampled_from(["document", "credential_id", "record"]))
def test_a_record_opens_for_its_own_credential_and_document_alone(credential: Credential, what: str) -> None:
    event = published(credential)
    assert event.record is not None
    turned = ("B" if event.record[0] == "A" else "A") + event.record[1:]
    other = {"document": "another", "credential_id": UUID(int=credential.credential_id.int ^ 1), "record": turned}
    with pytest.raises(RecordDoesNotOpenError):
        SEALING.open(event.model_copy(update={what: other[what]}))


@given(credentials)
def test_another_authority_and_a_document_without_a_record_open_nothing(credential: Credential) -> None:
    event = published(credential)
    with pytest.raises(RecordDoesNotOpenError):
        RecordSealing(lambda label: b"another authority's secret......").open(event)
    for nothing in (None, "", "no base64!"):
        with pytest.raises(RecordDoesNotOpenError):
            SEALING.open(event.model_copy(update={"record": nothing}))
