"""Scopes: each has a meaning, and a key gives away no right that its maker lacks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.access.api_keys import ADMIN_SCOPES, ALL_ISSUERS, ApiKeys, Caller
from libs.access.scopes import MEANINGS, Scope
from libs.common.errors import ForbiddenError, InvalidRequestError
from services.issuer.access.rights import grantable, life
from tests.keys_in_memory import MemoryKeys

ADMINISTRATOR = Caller(ALL_ISSUERS, ADMIN_SCOPES)
SCHOOL = Caller("wattle", frozenset({"keys:write", "evidence:write"}))


def test_every_scope_has_a_meaning() -> None:
    assert MEANINGS.keys() == set(Scope)


def test_a_route_cannot_ask_for_a_scope_that_does_not_exist() -> None:
    keys = ApiKeys(MemoryKeys())
    with pytest.raises(ValueError, match="evidence:wirte"):
        keys.allowed("evidence:wirte")


def test_the_administrator_gives_every_right_of_an_issuer_and_not_its_own() -> None:
    everything = frozenset(Scope) - {Scope.ISSUERS_WRITE}
    assert grantable(ADMINISTRATOR, everything) == everything
    with pytest.raises(ForbiddenError):
        grantable(ADMINISTRATOR, frozenset({Scope.ISSUERS_WRITE}))


def test_a_school_gives_what_it_has_and_nothing_more() -> None:
    assert grantable(SCHOOL, frozenset({Scope.EVIDENCE_WRITE})) == {Scope.EVIDENCE_WRITE}
    with pytest.raises(ForbiddenError):
        grantable(SCHOOL, frozenset({Scope.SIGNING_KEYS_WRITE}))


NOW = datetime(2026, 3, 2, tzinfo=UTC)
SHORT_LIVED = replace(SCHOOL, ends_at=NOW + timedelta(days=10))


def test_a_key_gives_no_longer_life_than_it_has_itself() -> None:
    assert life(SHORT_LIVED, None, NOW) == SHORT_LIVED.ends_at
    assert life(SHORT_LIVED, NOW + timedelta(days=10), NOW) == SHORT_LIVED.ends_at
    with pytest.raises(ForbiddenError):
        life(SHORT_LIVED, NOW + timedelta(days=10, seconds=1), NOW)


@pytest.mark.parametrize("days", [-1, 0, 731])
def test_a_key_has_an_end_within_two_years_whoever_makes_it(days: int) -> None:
    assert life(ADMINISTRATOR, None, NOW) == NOW + timedelta(days=365)
    with pytest.raises(InvalidRequestError):
        life(ADMINISTRATOR, NOW + timedelta(days=days), NOW)
