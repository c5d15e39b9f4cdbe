"""What POST /v1/verify takes, and what it refuses with a sentence that says what to send instead."""

from uuid import UUID

import orjson
import pytest

from libs.common.errors import InvalidRequestError
from libs.openbadges.verify import Recipient
from services.verifier.verification.submission import Submission, badge_id_of, read_submission

OURS = "https://badges.example"
ID = UUID("0f4ac6a1-59e9-4a3c-95ad-000000000001")


@pytest.mark.parametrize(
    "body",
    [
        b'{"credential":{"a":1}}',
        b' { "credential" : {"a":1} } ',
        b'{"credential":\n\t{"a":1}\n}',
        b'{"cr\\u0065dential": {"a":1}}',
    ],
)
def test_a_credential_in_an_envelope_is_taken_out_of_it(body: bytes) -> None:
    assert read_submission(body, OURS).text == b'{"a":1}'


def test_the_text_of_a_credential_stays_as_it_was_sent_so_that_a_key_that_stands_twice_is_seen() -> None:
    assert read_submission(b'{"credential": {"a": 1, "a": 2}}', OURS).text == b'{"a": 1, "a": 2}'


def test_a_credential_sent_by_itself_is_taken_as_it_is() -> None:
    body = b'{"@context": [], "url": "x", "credential": 1}'
    assert read_submission(body, OURS).text == body


def test_a_credential_nested_hundreds_of_levels_deep_is_left_to_the_engine_which_has_a_limit() -> None:
    body = b'{"credential": {"a": ' + b"[" * 900 + b"]" * 900 + b"}}"
    assert read_submission(body, OURS).text == body[15:-1]


@pytest.mark.parametrize(
    "body",
    [
        b'{"credential": {"a": 1, "a": 2}, "recipient": "a@example.com"}',
        b'{"recipient":"a@example.com","credential":{"a": 1, "a": 2}}',
        b' {\n"recipient" : {"identifier": "a@example.com"} , "cr\\u0065dential"\t:{"a": 1, "a": 2}\r}',
    ],
)
def test_whom_it_should_be_about_stands_beside_the_credential_which_stays_as_it_was_sent(body: bytes) -> None:
    submission = read_submission(body, OURS)
    assert submission.text == b'{"a": 1, "a": 2}'
    assert submission.recipient == Recipient("a@example.com")
    assert "a@example.com" not in repr(submission)


def test_a_recipient_may_have_a_type_and_stand_beside_an_address() -> None:
    url = f"{OURS}/badges/{ID}"
    body = orjson.dumps({"url": url, "recipient": {"identifier": "7", "identifierType": "sourcedId"}})
    assert read_submission(body, OURS) == Submission(badge_id=ID, recipient=Recipient("7", "sourcedId"))


@pytest.mark.parametrize(
    "recipient",
    [None, "", 5, [], {}, "x" * 1001, {"identifierType": "name"}, {"identifier": "x", "salt": "y"}, {"identifier": 5}],
)
def test_a_recipient_in_another_form_is_refused_by_name(recipient: object) -> None:
    with pytest.raises(InvalidRequestError, match="`recipient`"):
        read_submission(orjson.dumps({"credential": {}, "recipient": recipient}), OURS)


@pytest.mark.parametrize(
    "body",
    [
        b'{"credential": {"a":1}, "recipient": "x", "credential": {"b":2}}',
        b'{"credential": {"a": ' + b"[" * 2000 + b"]" * 2000 + b'}, "recipient": "x"}',
        b'{"credential": {"a": ' + b"9" * 5000 + b'}, "recipient": "x"}',
        b'{"recipient": "x"}',
        b'{"credential": 5, "recipient": "x"}',
    ],
)
def test_a_credential_beside_a_recipient_that_cannot_be_taken_out_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequestError, match="credential"):
        read_submission(body, OURS)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b'"text"',
        b"null",
        b"{}",
        b'{"credential": "eyJhbGciOi"}',
        b'{"credential": null}',
        b'{"credential": {"a":1}, "credential": {"b":2}}',
        b'{"credential": {}, "url": "https://badges.example/badges/x"}',
        b'{"credential": {}, "options": {}}',
        b'{"url": 7}',
        b'{"name": "Resilience"}',
        b"\xff\xfe",
        b"[" * 5000,
    ],
)
def test_anything_else_is_refused_with_what_to_send(body: bytes) -> None:
    with pytest.raises(InvalidRequestError, match=r"credential"):
        read_submission(body, OURS)


@pytest.mark.parametrize(
    "url",
    [
        f"{OURS}/badges/{ID}",
        f"{OURS}/badges/{ID}/",
        f"{OURS}/badges/{str(ID).upper()}?utm_source=mail#top",
        f"{OURS}/badges/{ID}/credential.json",
        f"HTTPS://BADGES.example/badges/{ID}",
    ],
)
def test_the_address_of_a_badge_of_ours_stands_for_it(url: str) -> None:
    assert badge_id_of(url, OURS) == ID


def test_a_public_address_with_a_path_is_understood() -> None:
    assert badge_id_of(f"{OURS}/credentials/badges/{ID}", f"{OURS}/credentials") == ID


@pytest.mark.parametrize(
    "url",
    [
        f"https://elsewhere.example/badges/{ID}",
        f"http://badges.example/badges/{ID}",
        f"https://badges.example:8443/badges/{ID}",
        f"https://user@badges.example/badges/{ID}",
        f"https://badges.example.evil.example/badges/{ID}",
        f"{OURS}/issuers/{ID}",
        f"{OURS}/badges/{ID}/../../secret",
        f"{OURS}/badges/{{{ID}}}",
        f"{OURS}/badges/",
        f"{OURS}/badges/{'/' * 400_000}x",
        f"{OURS}/badges/{ID}{'/' * 1_900}x",
        f"{OURS}/badges/{ID}?{'x' * 2_000}",
        "https://[",
        "file:///etc/passwd",
        "",
        None,
    ],
)
def test_any_other_address_is_refused_and_the_way_out_is_named(url: object) -> None:
    with pytest.raises(InvalidRequestError, match="download that credential"):
        badge_id_of(url, OURS)
