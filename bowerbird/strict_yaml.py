"""YAML read strictly: one document of a bounded depth, without anchors, aliases and tags, so that it stays small."""

from typing import Final, Protocol

import yaml

# The one over libyaml takes a twentieth of the time; a build of PyYAML without it reads the same.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Place(Protocol):
    """Where something stands, as either of PyYAML's two readers says it; the first line is 0."""

    line: int


class FaultyYamlError(Exception):
    """A text that is no such YAML; the text of the error says why, `line` where."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def root_of(text: str, deepest: int) -> yaml.Node | None:
    """Return the root of the text's one document; None where it is empty.

    Raises:
        FaultyYamlError: it is no YAML, or holds what is not taken.
    """
    try:
        depth = 0
        for event in yaml.parse(text, Loader=_LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > deepest:
                raise FaultyYamlError(line_of(event.start_mark), "is nested too deep")
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
                raise FaultyYamlError(line_of(event.start_mark), "anchors and aliases are not taken")
            if getattr(event, "tag", None) is not None:
                raise FaultyYamlError(line_of(event.start_mark), "tags are not taken")
        return yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        raise FaultyYamlError(line_of(error.problem_mark), f"cannot be read as YAML: {error.problem}") from None
    except yaml.YAMLError:
        message = "cannot be read as YAML: it holds a character that no YAML file may hold"
        raise FaultyYamlError(1, message) from None


def line_of(place: _Place | None) -> int:
    """Return the number of the line of a place; the first is 1."""
    return 1 if place is None else place.line + 1
