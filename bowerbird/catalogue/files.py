"""A folder of achievements, a YAML file each, named by its id: read strictly, with the file and line of each fault."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from bowerbird import strict_yaml
from bowerbird.strict_yaml import FaultyYamlError, line_of
from libs.contracts.rules import MOST_DEPTH

_MOST_FILES: Final = 5_000
_MOST_ENTRIES: Final = 100_000
_MOST_BYTES: Final = 256 << 10
_MOST_BYTES_TOGETHER: Final = 64 << 20
# The achievement, and of its rule a mapping and a list for each group, and the mapping of a condition.
_DEEPEST: Final = 2 + 2 * MOST_DEPTH
_SUFFIXES: Final = (".yaml", ".yml")
_WHOLE: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_DECIMAL: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,30}([eE][-+][0-9]{1,3})?")
_TRUTHS: Final[Mapping[str, bool]] = {"true": True, "false": False}

Place = tuple[str | int, ...]


class Fault(NamedTuple):
    """What is wrong, and where: the file, the number of its line, and the field, if it is one."""

    path: str
    line: int
    field: str
    message: str


class FaultyFilesError(Exception):
    """Files of which nothing is published; `faults` says all that is wrong with them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = sorted(faults)


@dataclass(frozen=True, slots=True)
class AchievementFile:
    """One achievement as its file has it.

    Attributes:
        path: of the file, as it is told.
        achievement_id: by the file's name.
        content: what stands in it, not checked.
        lines: for each field, by the names and numbers that lead to it, its line.
    """

    path: str
    achievement_id: str
    content: Mapping[str, Any]
    lines: Mapping[Place, int]

    def fault(self, where: Sequence[str | int], message: str) -> Fault:
        """Return a fault at the field to which these names and numbers lead; those of no field are passed over."""
        place: Place = ()
        for each in where:
            if (*place, each) in self.lines:
                place = (*place, each)
        return Fault(self.path, self.lines[place], ".".join(map(str, place)), message)


@dataclass(slots=True)
class Folder:
    """What was read.

    Attributes:
        files: those that can be read, sorted by path.
        unread: the paths of those that cannot, by the id that they are of.
        faults: what is wrong with these, and between files.
    """

    files: list[AchievementFile] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def read_folder(folder: Path) -> Folder:
    """Return the achievements of a folder and those in it; what is hidden, or no YAML by its name, is left alone.

    Raises:
        FaultyFilesError: there is too much in it.
        OSError: something of it cannot be read.
    """
    found, first, together = Folder(), dict[str, str](), 0
    for number, path in enumerate(_paths(folder)):
        together += path.stat().st_size if path.is_file() else 0
        if number >= _MOST_FILES or together > _MOST_BYTES_TOGETHER:
            limit = f"{_MOST_FILES} files, and {_MOST_BYTES_TOGETHER >> 20} MiB together, are the most"
            raise FaultyFilesError([Fault(str(path), 1, "", limit)])
        file, faults = _read(path)
        found.faults += faults
        if first.setdefault(path.stem, str(path)) != str(path):
            found.faults.append(Fault(str(path), 1, "", f"{first[path.stem]} is of this achievement, too"))
        elif file is None:
            found.unread[path.stem] = str(path)
        else:
            found.files.append(file)
    return found


def write_file(path: Path, text: str) -> None:
    """Write a file whole: whoever reads it has what was in it before, or all of this.

    Raises:
        OSError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(text, "utf-8", newline="\n")
    partial.replace(path)


def _paths(folder: Path) -> Iterator[Path]:
    entries = 0
    for place, folders, names in os.walk(folder, onerror=_raise):
        entries += len(folders) + len(names)
        if entries > _MOST_ENTRIES:
            raise FaultyFilesError([Fault(place, 1, "", f"{_MOST_ENTRIES} files of any kind are the most")])
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name.endswith(_SUFFIXES):
                yield Path(place, name)


def _raise(error: OSError) -> None:
    raise error


def _read(path: Path) -> tuple[AchievementFile | None, list[Fault]]:
    try:
        root = strict_yaml.root_of(_text(path), _DEEPEST)
    except FaultyYamlError as error:
        return None, [Fault(str(path), error.line, "", str(error))]
    if not isinstance(root, yaml.MappingNode):
        return None, [Fault(str(path), 1, "", "is no achievement: names of fields, each with its value")]
    values = _Values(str(path))
    said = values.of(root, ())
    return None if values.faults else AchievementFile(str(path), path.stem, said, values.lines), values.faults


def _text(path: Path) -> str:
    if not path.is_file():
        raise FaultyYamlError(1, "is no file")
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise FaultyYamlError(1, f"has more than {_MOST_BYTES >> 10} KiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FaultyYamlError(content.count(b"\n", 0, error.start) + 1, "is not UTF-8") from None


class _Values:
    """What a file's nodes say: a word is a number, a truth or nothing only where JSON would write it so, else text."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.lines: dict[Place, int] = {}
        self.faults: list[Fault] = []

    def of(self, node: yaml.Node, place: Place) -> Any:
        self.lines.setdefault(place, line_of(node.start_mark))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.of(each, (*place, number)) for number, each in enumerate(node.value)]
        return _value(node)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        said: dict[str, Any] = {}
        for key, value in node.value:
            line, name = line_of(key.start_mark), str(key.value)
            if not isinstance(key, yaml.ScalarNode):
                self.faults.append(Fault(self._path, line, ".".join(map(str, place)), "a name is a word"))
            elif name in said:
                self.faults.append(Fault(self._path, line, ".".join(map(str, (*place, name))), "stands here twice"))
            else:
                self.lines[*place, name] = line
                said[name] = self.of(value, (*place, name))
        return said


def _value(node: yaml.Node) -> Any:
    text = str(node.value)
    if not isinstance(node, yaml.ScalarNode) or node.style in {"'", '"', "|", ">"}:
        return text
    kind = node.tag.rpartition(":")[2]
    if kind == "null" and text in {"", "~", "null"}:
        return None
    if kind == "bool":
        return _TRUTHS.get(text, text)
    if kind == "int" and _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if kind == "float" and _DECIMAL.fullmatch(text) else text
