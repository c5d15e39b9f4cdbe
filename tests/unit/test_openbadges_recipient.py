"""Asked whether a credential is about a certain person, verifying compares, and tells nobody who was asked about."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.openbadges.issue.signing import prepare, sign
from libs.openbadges.model.documents import IdentityObject
from libs.openbadges.model.profile import PRODUCTION
from libs.openbadges.verify import CHECKS, RECIPIENT, Opened, Recipient, verify
from libs.openbadges.verify.pipeline import new_run
from libs.openbadges.verify.recipient import MOST_IDENTIFIERS, check_recipient
from libs.openbadges.verify.run import Context, EndorsementBudget
from tests.unit.openbadges_samples import KEY, METHOD, NOW, badge, material, signed

ADDRESS = "a@example.com"
LEARNER = badge()["credentialSubject"]["id"]
# Open Badges 3.0, IdentityHash: this address with this salt.
HASHED = {
    "type": "IdentityObject",
    "hashed": True,
    "identityHash": "sha256$b5809d8a92f8858436d7e6b87c12ebc0ae1eac4baecc2c0b913aee2c922ef399",
    "identityType": "emailAddress",
    "salt": "Kosher",
}
PLAIN = {"type": "IdentityObject", "hashed": False, "identityHash": "s-4711", "identityType": "sourcedId"}


def about(*identifiers: Any, **changes: Any) -> dict[str, Any]:
    return {"credentialSubject": {"identifier": list(identifiers), **changes}}


def asked(document: dict[str, Any], value: str, kind: str | None = None) -> tuple[str, str]:
    context = Context(Opened(document), new_run(material(), NOW, PRODUCTION), EndorsementBudget(0))
    found = check_recipient(context, Recipient(value, kind))
    return found.outcome, found.code


def test_who_is_not_asked_about_is_no_check() -> None:
    assert [check.name for check in verify(signed(), material(), NOW).checks] == list(CHECKS)
    report = verify(signed(), material(), NOW, recipient=Recipient(LEARNER))
    assert [check.name for check in report.checks] == [*CHECKS, RECIPIENT]
    assert report.verdict == "pass"


def test_the_wrong_person_fails_a_credential_that_is_good_otherwise() -> None:
    report = verify(signed(), material(), NOW, recipient=Recipient("urn:uuid:somebody-else"))
    assert (report.verdict, report.check(RECIPIENT).code) == ("fail", "recipient_mismatch")
    assert all(check.outcome == "pass" for check in report.checks if check.name != RECIPIENT)


def test_a_document_that_cannot_be_read_is_about_nobody_known() -> None:
    report = verify("not json", material(), NOW, recipient=Recipient(LEARNER))
    assert (report.check(RECIPIENT).outcome, report.check(RECIPIENT).code) == ("unknown", "not_read")


def test_a_signed_credential_with_hashed_identifiers_is_about_whose_address_it_is() -> None:
    document = badge()
    del document["credentialSubject"]["id"]
    document["credentialSubject"]["identifier"] = [PLAIN, IdentityObject.of(ADDRESS, "emailAddress", "x9").to_json()]
    text = sign(prepare(document), KEY, METHOD, NOW)
    for recipient in (Recipient(ADDRESS), Recipient(ADDRESS, "emailAddress"), Recipient("s-4711", "sourcedId")):
        assert verify(text, material(), NOW, recipient=recipient).verdict == "pass"
    for recipient in (Recipient("b@example.com"), Recipient("s-4711", "emailAddress")):
        assert verify(text, material(), NOW, recipient=recipient).verdict == "fail"


def test_the_specifications_own_example_matches() -> None:
    assert asked(about(HASHED), ADDRESS) == ("pass", "recipient")
    upper = {**HASHED, "identityHash": "sha256$" + HASHED["identityHash"][7:].upper()}  # type: ignore[index]
    assert asked(about(upper), ADDRESS) == ("pass", "recipient")


@pytest.mark.parametrize(
    "changed",
    [{"salt": "kosher"}, {"salt": ""}, {"identityHash": "sha256$" + "0" * 64}, {"identityHash": "sha256$"}],
    ids=["salt", "no-salt", "hash", "empty"],
)
def test_another_salt_or_hash_is_somebody_else(changed: dict[str, Any]) -> None:
    assert asked(about({**HASHED, **changed}), ADDRESS) == ("fail", "recipient_mismatch")


def test_a_hash_is_not_the_plain_text_of_itself() -> None:
    # Whoever knows only the hash, which stands in the credential, does not know the person.
    assert asked(about(HASHED), str(HASHED["identityHash"])) == ("fail", "recipient_mismatch")


@pytest.mark.parametrize(
    "identifier",
    [
        {**HASHED, "identityHash": "md5$1e2f"},
        {**HASHED, "hashed": "true"},
        {**HASHED, "hashed": None},
        {**HASHED, "salt": 5},
        {**HASHED, "identityHash": None},
        "x",
        5,
        None,
        [],
    ],
)
def test_an_identifier_that_is_not_read_is_unknown_and_never_a_match(identifier: Any) -> None:
    assert asked(about(identifier), ADDRESS) == ("unknown", "recipient_unread")
    assert asked(about(identifier, HASHED), ADDRESS) == ("pass", "recipient")


@pytest.mark.parametrize("document", [{}, about(), {"credentialSubject": 5}, {"credentialSubject": [{"id": 5}]}])
def test_a_credential_about_nobody_is_unknown(document: dict[str, Any]) -> None:
    assert asked(document, ADDRESS) == ("unknown", "recipient_unnamed")


def test_one_subject_of_several_is_enough() -> None:
    several = {"credentialSubject": [{"id": "urn:x:1"}, {"id": "urn:x:2"}]}
    assert asked(several, "urn:x:2") == ("pass", "recipient")
    assert asked(several, "urn:x:3") == ("fail", "recipient_mismatch")


def test_a_subject_that_is_identified_in_other_ways_may_be_anybody() -> None:
    only_an_id = {"credentialSubject": {"id": LEARNER}}
    assert asked(only_an_id, ADDRESS) == ("unknown", "recipient_unnamed")
    assert asked(only_an_id, LEARNER, "identifier") == ("unknown", "recipient_unnamed")
    assert asked(about(HASHED, id=LEARNER), ADDRESS, "userName") == ("unknown", "recipient_unnamed")
    assert asked(about(PLAIN, id=LEARNER), "urn:x:3") == ("fail", "recipient_mismatch")


def test_of_a_huge_list_of_identifiers_only_some_are_compared() -> None:
    began = time.process_time()
    assert asked(about(*[HASHED] * 1_000_000), "b@example.com") == ("unknown", "too_many_identifiers")
    assert asked(about(*[PLAIN] * MOST_IDENTIFIERS, HASHED), ADDRESS) == ("unknown", "too_many_identifiers")
    assert asked(about(*[PLAIN] * (MOST_IDENTIFIERS - 1), HASHED), ADDRESS) == ("pass", "recipient")
    assert time.process_time() - began < 1


def test_neither_report_nor_representation_names_whom_it_was_asked_about() -> None:
    recipient = Recipient(ADDRESS)
    report = verify(signed(), material(), NOW, recipient=recipient)
    assert ADDRESS not in json.dumps(report.to_dict()) + repr(recipient)


@given(st.text(max_size=30), st.text(max_size=10), st.text(max_size=30))
def test_exactly_the_identifier_that_was_hashed_matches(identifier: str, salt: str, other: str) -> None:
    document = about(IdentityObject.of(identifier or "x", "name", salt or "y").to_json())
    assert asked(document, identifier or "x") == ("pass", "recipient")
    same = other + (salt or "y") == (identifier or "x") + (salt or "y")
    assert asked(document, other)[0] == ("pass" if same else "fail")
