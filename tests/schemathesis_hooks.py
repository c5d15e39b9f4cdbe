"""Loaded by schemathesis in its own process: media types that it does not know, and what no schema says."""

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import available_timezones

import schemathesis

from libs.common.text import REFUSED, TextRefusedError, clean_text
from libs.contracts.results import SoloLevel
from services.issuer.access.rights import LONGEST_LIFE
from tests.schemathesis_run import ALSO

# Asked for, it looks into each of six hundred files.
_ZONES: Final = available_timezones()


@schemathesis.serializer("application/x-ndjson")
def ndjson(_context: schemathesis.SerializationContext, value: object) -> bytes:
    """Text as it stands."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@schemathesis.serializer("application/vc", "application/vp")
def credential(_context: schemathesis.SerializationContext, value: object) -> bytes:
    """JSON, though the media type does not say so."""
    return json.dumps(value).encode()


def the_answer_to_another_is_as_documented(
    _context: schemathesis.CheckContext, _response: schemathesis.Response, case: "schemathesis.Case[Any]"
) -> None:
    """Send the request of another holder of a key, and hold the answer against all the other checks."""
    headers = {"Authorization": f"Bearer {os.environ[ALSO]}"}
    answer = case.call(headers=headers)
    case.validate_response(answer, excluded_checks=[the_answer_to_another_is_as_documented], headers=headers)


if ALSO in os.environ:
    schemathesis.check(the_answer_to_another_is_as_documented)


@schemathesis.hook
def before_load_schema(_context: schemathesis.HookContext, schema: dict[str, Any]) -> None:
    """Leave rules out of what is sent: there is no end to groups in groups (tests/unit/test_rules.py has them)."""
    request = schema["components"]["schemas"].get("AchievementRequest")
    if request is not None:
        request["properties"].pop("rule", None)


@schemathesis.hook
def filter_case(_context: schemathesis.HookContext, case: "schemathesis.Case[Any]") -> bool:
    """Leave out achievements that nobody could earn, levels described twice, and lives and time zones of no kind."""
    if not isinstance(case.body, dict):
        return True
    zone = case.body.get("time_zone")
    if isinstance(zone, str) and zone not in _ZONES:
        return False
    if _is_no_life(case.body.get("expires_at")):
        return False
    level, score, levels = (case.body.get(name) for name in ("required_level", "required_score", "levels"))
    named = [each.get("level") for each in levels if isinstance(each, dict)] if isinstance(levels, list) else []
    ranks = [each.rank for each in SoloLevel if each.value in named]
    reached = not ranks or level not in list(SoloLevel) or max(ranks) >= SoloLevel(level).rank
    return (level is None or score is None) and reached and all(named.count(level) == 1 for level in named)


@schemathesis.hook
def filter_body(_context: schemathesis.HookContext, body: object) -> bool:
    """Leave out texts that only the version of Unicode or the characters around tell to be wrong."""
    return not any(re.search(f"[{REFUSED}]", text) is None and _is_refused(text) for text in _texts(body))


def _is_no_life(expires_at: object) -> bool:
    """Return whether this is a moment, and one at which no API key made now could end."""
    try:
        moment = datetime.fromisoformat(str(expires_at).upper())
    except ValueError:
        return False
    now = datetime.now(UTC)
    return moment.tzinfo is not None and not now < moment < now + LONGEST_LIFE


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _is_refused(text: str) -> bool:
    try:
        clean_text(text)
    except TextRefusedError:
        return True
    return False
