"""Files of organisations: read strictly, every fault at once with its line, in CSV and YAML alike."""

from pathlib import Path

import pytest

from bowerbird.organisations.files import FaultyFileError, read_organisations
from bowerbird.organisations.lines import COLUMNS, Line

GOOD = """id,kind,name,issuer,parent,acara_id,key_scopes
department,authority,Department of Education,yes,,,
north,region,North Region,no,department,,organisations:read credentials:read
wattle,school,"Wattle ""Grove"" School",yes,north,40123,evidence:write evidence:read
"""


def read(tmp_path: Path, text: str | bytes, name: str = "schools.csv") -> list[Line]:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_organisations(path)


def faults(tmp_path: Path, text: str | bytes, name: str = "schools.csv") -> list[tuple[int, str]]:
    with pytest.raises(FaultyFileError) as caught:
        read(tmp_path, text, name)
    return [(each.line, each.column) for each in caught.value.faults]


def row(**given: str) -> str:
    values = {"id": "wattle", "kind": "school", "name": "Wattle", "issuer": "yes", **given}
    return ",".join(COLUMNS) + "\n" + ",".join(values.get(each, "") for each in COLUMNS) + "\n"


def test_a_file_is_read_whatever_its_delimiter_line_ends_and_mark(tmp_path: Path) -> None:
    first = read(tmp_path, GOOD)
    assert [each.number for each in first] == [2, 3, 4]
    assert first[2].given["name"] == 'Wattle "Grove" School'
    assert first[1].key_scopes == ("organisations:read", "credentials:read")
    for other in (
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t"),
        GOOD.replace("\n", "\r\n"),
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD + ",,,,,,\n\n",
    ):
        assert read(tmp_path, other) == first


def test_yaml_says_the_same_and_nothing_in_it_becomes_a_number_a_date_or_a_truth(tmp_path: Path) -> None:
    text = """# the north
- {id: north, kind: region, name: North Region, issuer: no}
- id: wattle
  kind: school
  name: 1984
  issuer: yes
  parent: north
  acara_id: 040123
  opened_on: 1984-02-01
  url:
  key_scopes: [evidence:write, evidence:read]
"""
    assert faults(tmp_path, text, "schools.yaml") == [(3, "acara_id")]
    north, wattle = read(tmp_path, text.replace("040123", "40123"), "schools.yml")
    assert (north.number, wattle.number, wattle.given["name"], wattle.given["url"]) == (2, 3, "1984", "")
    assert wattle.request()["opened_on"] == "1984-02-01"
    assert wattle.key_scopes == ("evidence:write", "evidence:read")


def test_every_fault_is_told_at_once_with_the_line_in_which_its_organisation_begins(tmp_path: Path) -> None:
    text = """id,kind,name,issuer,parent,email,acara_id,opened_on,public_evidence,key_scopes
wattle,school,Wattle,yes,north,office@wattle.example,40123,1964-02-03,yes,
Wattle Grove,academy,Wattle Grove,perhaps,,office,x,3/2/1964,1,admin

north,region,"North

Region",no,south,office@north.example,40123,,,
wattle,school,Banksia,yes,north,,,,,
south,region,South,no,north,,,,,issuers:write
south-east,region,,no,,,,,,
too,few
"""
    assert faults(tmp_path, text) == [
        (3, "acara_id"),
        (3, "email"),
        (3, "id"),
        (3, "issuer"),
        (3, "key_scopes"),
        (3, "kind"),
        (3, "opened_on"),
        (3, "public_evidence"),
        (5, "acara_id"),
        (5, "email"),
        (5, "parent"),
        (8, "id"),
        (9, "key_scopes"),
        (9, "parent"),
        (10, "name"),
        (11, ""),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [(1, "")]),
        ("id,kind,name,issuer\n", [(1, "")]),
        ("id,kind,name,name,school\n", [(1, "issuer"), (1, "name"), (1, "school")]),
        ('id,kind,name,issuer\nwattle,school,"Wattle,yes\n', [(2, "")]),
        ('id,kind,name,issuer\nwattle,school,"W"attle,yes\n', [(2, "")]),
        (b"id,kind,name,issuer\nwattle,school,Wattl\xe9,yes\n", [(2, "")]),
    ],
)
def test_a_file_that_is_none_says_where(tmp_path: Path, text: str | bytes, expected: list[tuple[int, str]]) -> None:
    assert faults(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("id: wattle\n", 1),
        ("- wattle\n", 1),
        ("- {id: wattle, kind: school, name: W, issuer: yes, name: X}\n", 1),
        ("- &a {id: wattle, kind: school, name: W, issuer: yes}\n- *a\n", 1),
        ("- {id: wattle, kind: school, name: [W], issuer: yes}\n", 1),
        ("- id: wattle\n  kind: {a: {b: c}}\n", 2),
        ("- id: wattle\n   kind: school\n", 2),
        ("- !!python/object/apply:os.system [ls]\n", 1),
        ("- \x07\n", 1),
        ("[" * 100_000, 1),
    ],
)
def test_yaml_that_is_something_else_is_refused_where_it_stands(tmp_path: Path, text: str, line: int) -> None:
    assert faults(tmp_path, text, "schools.yaml")[0][0] == line


def test_what_only_an_issuer_has_is_refused_of_others(tmp_path: Path) -> None:
    assert faults(tmp_path, row(issuer="no", url="https://w.example/")) == [(2, "url")]
    assert faults(tmp_path, row(parent="wattle")) == [(2, "parent")]
    assert faults(tmp_path, row(id="authority")) == [(2, "id")]
    assert faults(tmp_path, row(sif_ref_id="d3e34b35")) == [(2, "sif_ref_id")]
    (line,) = read(tmp_path, row(url="https://w.example/", learners_from_16="yes"))
    assert line.request()["issuer"]["learners_from_16"] is True
