"""Refuses query parameters that a call does not know, or that come twice: a value would be passed over."""

import difflib
from collections import Counter
from collections.abc import Iterator
from typing import Final

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from libs.common.errors import FieldProblem, InvalidRequestError
from libs.common.validation import MOST_NAMED

_LONGEST_NAME: Final = 40


async def refuse_unknown_parameters(request: Request) -> None:
    """Check, as a dependency of every route, that a request has what its route declares, each once, and nothing else.

    Of one that is given twice a proxy and we might read different values.

    A page that anybody may see and that declares none takes any: mail programs and social sites add their own
    (`utm_source`, `fbclid`) to links that they pass on.

    Raises:
        InvalidRequestError: it has others, with what was probably meant beside each, or one more than once.
    """
    route = request.scope.get("route")
    if not request.scope["query_string"] or not isinstance(route, APIRoute):
        return
    parts = list(_parts(route.dependant))
    known = {each.alias for part in parts for each in part.query_params}
    if not known and not any(hasattr(part.call, "admit") for part in parts):
        return
    given = Counter(name for name, _ in request.query_params.multi_items())
    unknown = [name for name in given if name not in known]
    if unknown:
        raise InvalidRequestError(
            "the request has query parameters that this call does not know",
            [FieldProblem(field=name[:_LONGEST_NAME], reason=_hint(name, known)) for name in unknown[:MOST_NAMED]],
        )
    repeated = [name for name, times in given.items() if times > 1]
    if repeated:
        raise InvalidRequestError(
            "the request has a query parameter more than once",
            [FieldProblem(field=name, reason="given more than once; give one value") for name in repeated],
        )


def _parts(dependant: Dependant) -> Iterator[Dependant]:
    """Yield what a call needs, and what that needs in turn."""
    yield dependant
    for each in dependant.dependencies:
        yield from _parts(each)


def _hint(name: str, known: set[str]) -> str:
    alike = name[:_LONGEST_NAME].lower().replace("-", "_")
    near = difflib.get_close_matches(alike, sorted(known), n=1)
    if near:
        return f"unknown parameter; did you mean {near[0]}?"
    names = f"; known are {', '.join(sorted(known))}" if known else "; this call has none"
    return f"unknown parameter{names}"
