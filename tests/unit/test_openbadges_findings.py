"""What a check makes of an error follows from the error's class, in one place."""

import pytest

from libs.openbadges.model.errors import (
    CredentialError,
    LimitError,
    UndecidedError,
    UnknownContextError,
    UnreadFormError,
)
from libs.openbadges.model.findings import Finding

UNKNOWN = (LimitError, UndecidedError, UnknownContextError, UnreadFormError)


def test_an_error_of_a_document_is_a_failed_check_with_its_code_and_path() -> None:
    found = Finding.of(CredentialError("date_form", "It is no date.", "/validFrom"))
    assert found == Finding("fail", "date_form", "/validFrom: It is no date.")


@pytest.mark.parametrize("kind", UNKNOWN)
def test_an_error_that_says_nothing_of_the_document_leaves_the_check_unknown(kind: type[CredentialError]) -> None:
    assert Finding.of(kind("some_code", "It is so.")) == Finding("unknown", "some_code", "It is so.")


def test_every_class_of_error_has_its_outcome_written_on_it() -> None:
    assert set(CredentialError.__subclasses__()) == set(UNKNOWN)
    assert all("outcome" in vars(kind) for kind in UNKNOWN)
