"""Validation against the official JSON Schema of an Open Badges 3.0 AchievementCredential."""

from typing import Any, Final

import orjson
from jsonschema_rs import Draft201909Validator, RegexOptions

from libs.openbadges.contexts import CARRIED
from libs.openbadges.errors import CredentialError

ACHIEVEMENT_SCHEMA: Final = (
    "https://purl.imsglobal.org/spec/ob/v3p0/schema/json/ob_v3p0_achievementcredential_schema.json"
)

_validator: Final = Draft201909Validator(
    orjson.loads(CARRIED[ACHIEVEMENT_SCHEMA].text),
    validate_formats=True,
    offline=True,
    pattern_options=RegexOptions(),  # linear in the length of the text, whatever the text is
)


def is_achievement(document: dict[str, Any]) -> bool:
    """Tell whether a document says of itself that it is an Open Badge."""
    types = document.get("type")
    listed = types if isinstance(types, list) else [types]
    return "AchievementCredential" in listed or "OpenBadgeCredential" in listed


def validate_achievement(document: dict[str, Any]) -> None:
    """Validate an Open Badge.

    Raises:
        CredentialError: code `schema`, with the path of the first value that the schema refuses.
    """
    if _validator.is_valid(document):
        return
    error = max(_validator.iter_errors(document), key=lambda one: len(one.instance_path))
    path = "".join(f"/{part}" for part in error.instance_path)
    message = error.message if len(error.message) <= 300 else error.message[:300] + " …"
    raise CredentialError("schema", message, path or "/")
