"""A file of organisations, CSV or YAML, read strictly: every fault at once, with its line."""

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import yaml

from bowerbird import strict_yaml
from bowerbird.organisations.lines import COLUMNS, REQUIRED, Fault, Line, faults_between
from bowerbird.strict_yaml import FaultyYamlError, line_of

_MOST_BYTES: Final = 32 << 20
_MOST_ORGANISATIONS: Final = 50_000
_LONGEST_CELL: Final = 2_000
# A sequence of organisations, of which one column may have a sequence.
_DEEPEST: Final = 3
_DELIMITERS: Final = ",;\t"


class FaultyFileError(Exception):
    """A file that is not applied; `faults` says all that is wrong with it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = sorted(faults)


def read_organisations(path: Path) -> list[Line]:
    """Return the organisations of a file, in its order; CSV unless its name ends with .yaml or .yml.

    Raises:
        FaultyFileError: something is wrong with it.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise FaultyFileError([Fault(1, "", f"the file has more than {_MOST_BYTES >> 20} MiB")])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FaultyFileError([Fault(line, "", "the file is not UTF-8; save it as 'CSV UTF-8'")]) from None
    faults: list[Fault] = []
    is_yaml = path.suffix.lower() in {".yaml", ".yml"}
    found = _yaml_lines(text, faults) if is_yaml else _csv_lines(text, faults)
    lines = list(islice(found, _MOST_ORGANISATIONS + 1))
    if len(lines) > _MOST_ORGANISATIONS:
        raise FaultyFileError([Fault(lines[-1].number, "", f"there are more than {_MOST_ORGANISATIONS} organisations")])
    if not lines and not faults:
        faults.append(Fault(1, "", "there is no organisation in it"))
    for each in lines:
        faults += each.faults()
    faults += faults_between(lines)
    if faults:
        raise FaultyFileError(faults)
    return lines


def _csv_lines(text: str, faults: list[Fault]) -> Iterator[Line]:
    head = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: list[str] = []
    begins = 1
    try:
        for cells in reader:
            values, begins, number = [each.strip() for each in cells], reader.line_num + 1, begins
            if not any(values):
                continue
            if not columns:
                columns = values
                if not _check_columns(columns, number, faults):
                    return
            elif len(values) != len(columns):
                faults.append(Fault(number, "", f"has {len(values)} cells, and {len(columns)} columns are named"))
            elif (line := _line(number, dict(zip(columns, values, strict=True)), faults)) is not None:
                yield line
    except csv.Error as error:
        faults.append(Fault(reader.line_num, "", f"cannot be read as CSV: {error}"))


def _check_columns(columns: Sequence[str], number: int, faults: list[Fault]) -> bool:
    unknown = f"is no column; they are {', '.join(COLUMNS)}"
    found = [Fault(number, each, unknown) for each in columns if each not in COLUMNS]
    found += [Fault(number, each, "is named twice") for each in sorted(set(columns)) if columns.count(each) > 1]
    found += [Fault(number, each, "is missing") for each in REQUIRED if each not in columns]
    faults += found
    return not found


def _yaml_lines(text: str, faults: list[Fault]) -> Iterator[Line]:
    """Yield the organisations of a sequence of mappings, whose values are all taken as they are written."""
    try:
        root = strict_yaml.root_of(text, _DEEPEST)
    except FaultyYamlError as error:
        faults.append(Fault(error.line, "", str(error)))
        return
    if not isinstance(root, yaml.SequenceNode):
        faults.append(Fault(1, "", "must be a sequence of organisations, each with the names of columns"))
        return
    for node in root.value:
        number = line_of(node.start_mark)
        if not isinstance(node, yaml.MappingNode):
            faults.append(Fault(number, "", "is no organisation with the names of columns"))
            continue
        names = [str(name.value) for name, _ in node.value]
        if _check_columns(names, number, faults):
            given = {str(name.value): _text(value, str(name.value), faults) for name, value in node.value}
            if (line := _line(number, given, faults)) is not None:
                yield line


def _text(node: yaml.Node, column: str, faults: list[Fault]) -> str:
    """Return what is written: no date, number or truth is made of it; words of a sequence with spaces between them."""
    if isinstance(node, yaml.ScalarNode):
        return "" if node.tag == "tag:yaml.org,2002:null" else str(node.value).strip()
    if column == "key_scopes" and isinstance(node, yaml.SequenceNode):
        return " ".join(_text(each, column, faults) for each in node.value)
    faults.append(Fault(line_of(node.start_mark), column, "must be one text"))
    return ""


def _line(number: int, given: dict[str, str], faults: list[Fault]) -> Line | None:
    long = [column for column, value in given.items() if len(value) > _LONGEST_CELL]
    faults += [Fault(number, column, f"has more than {_LONGEST_CELL} characters") for column in long]
    return None if long else Line(number, given)
