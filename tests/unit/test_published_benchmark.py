"""What is measured of a published badge is an answer, not its absence."""

import pytest

from benchmarks.published import ROUTES, ask, verifier


@pytest.mark.parametrize("revoked", [False, True])
@pytest.mark.parametrize("name", ROUTES)
async def test_all_that_is_open_of_a_published_badge_is_there(name: str, revoked: bool) -> None:
    assert (await ask(verifier(revoked=revoked), *ROUTES[name])).startswith("200, ")
