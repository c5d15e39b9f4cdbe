"""An achievement as its file is written: keys in one order, and nothing that leaving it out says as well. Pure."""

from typing import Any, Final

import yaml

from libs.contracts.events import AchievementPublished
from libs.contracts.rules import Condition, EvidenceCondition, Group, HoldsCondition
from services.issuer.catalogue.achievement_api import AchievementRequest

_TEXTS: Final = ("name", "description", "criteria")
_OPTIONAL: Final = ("required_level", "required_score")
_TRUTHS: Final = ("repeatable", "revoked_with_holdings", "shared")


def written(version: AchievementPublished, *, numbered: bool = True) -> dict[str, Any]:
    """Return what the file of a version says, its keys in one order, with its number or without."""
    said: dict[str, Any] = {"id": version.achievement_id}
    if numbered:
        said["version"] = version.version
    said |= {each: getattr(version, each) for each in _TEXTS}
    if version.levels:
        said["levels"] = [each.model_dump(mode="json") for each in version.levels]
    for each in _OPTIONAL:
        if (value := getattr(version, each)) is not None:
            said[each] = _plain(value)
    if version.rule is not None:
        said["rule"] = _rule(version.rule, version.owner)
    return said | {each: True for each in _TRUTHS if getattr(version, each)}


def achievement_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a file, for editors."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **AchievementRequest.model_json_schema()}


def yaml_text(said: Any) -> str:
    """Return the YAML of what a file says, or of a part of it: texts of several lines as blocks, no line folded."""
    text: str = yaml.dump(said, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=float("inf"))
    return text


def _rule(rule: Condition | Group, owner: str) -> dict[str, Any]:
    """Return a rule whose type comes first; an achievement of the same owner is named by its id alone."""
    values = {name: getattr(rule, name) for name in ("type", *type(rule).model_fields)}
    if isinstance(rule, EvidenceCondition | HoldsCondition):
        said = {name: _plain(value) for name, value in values.items() if value is not None}
        if isinstance(rule, HoldsCondition):
            said["achievement"] = rule.achievement.removeprefix(f"{owner}/")
        return said
    del values["of"]
    return {**values, "of": [_rule(each, owner) for each in rule.of]}


def _plain(value: Any) -> Any:
    """Return a value as a file has it: a score that is whole without a fraction, a level as its word."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return str(value) if isinstance(value, str) else value


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Have members of a list stand deeper than its name, as most formatters do."""
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:
        """Write what stands twice twice: a file holds no anchors."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
