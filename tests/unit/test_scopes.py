"""Scopes: each has a meaning, and a key gives away no right that its maker lacks."""

import pytest

from libs.access.api_keys import ADMIN_SCOPES, ALL_ISSUERS, ApiKeys, Caller
from libs.access.scopes import MEANINGS, Scope
from libs.common.errors import ForbiddenError
from services.issuer.access.api import grantable

ADMINISTRATOR = Caller(ALL_ISSUERS, ADMIN_SCOPES)
SCHOOL = Caller("wattle", frozenset({"keys:write", "evidence:write"}))


def test_every_scope_has_a_meaning() -> None:
    assert MEANINGS.keys() == set(Scope)


def test_a_route_cannot_ask_for_a_scope_that_does_not_exist() -> None:
    keys = ApiKeys({"api_keys": None})  # type: ignore[arg-type]  # no database is asked
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
