"""The partners' AsyncAPI document: valid, closed in itself, and good to generate models from, in two languages."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from libs.contracts.cloudevents import read_event
from libs.contracts.events import BY_TYPE
from libs.contracts.ids import unkeyed_event_id
from libs.contracts.topics import TOPICS
from tests.node_tools import installed

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "docs" / "events"
PARTNERS = EVENTS / "partners.asyncapi.json"
DOCUMENT: dict[str, Any] = json.loads(PARTNERS.read_text(encoding="utf-8"))
INTERNAL: dict[str, Any] = json.loads((EVENTS / "internal.asyncapi.json").read_text(encoding="utf-8"))
MESSAGES: dict[str, dict[str, Any]] = DOCUMENT["components"]["messages"]
HEADERS: dict[str, Any] = DOCUMENT["components"]["messageTraits"]["cloudevent"]["headers"]


def run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_partners_are_told_of_what_they_read_and_of_nothing_else() -> None:
    assert set(DOCUMENT["channels"]) == {"credential.lifecycle.v1", "catalogue.v1"}
    assert not {topic.name for topic in TOPICS if topic.for_partners and topic.restricted}
    about_others = [topic.name for topic in TOPICS if not topic.for_partners]
    assert not [name for name in about_others if name in PARTNERS.read_text(encoding="utf-8")]


def test_the_inner_document_tells_of_every_topic() -> None:
    assert set(INTERNAL["channels"]) == {topic.name for topic in TOPICS}


def test_the_partners_document_refers_to_nothing_outside_itself() -> None:
    references = re.findall(r'"\$ref": "([^"]*)"', PARTNERS.read_text(encoding="utf-8"))
    assert references
    for reference in references:
        found: Any = DOCUMENT
        assert reference.startswith("#/")
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


@pytest.mark.parametrize("name", MESSAGES)
def test_an_example_satisfies_its_schemas_and_is_an_event(name: str) -> None:
    (example,) = MESSAGES[name]["examples"]
    schema = {**DOCUMENT["components"]["schemas"][name], "components": DOCUMENT["components"]}
    jsonschema_rs.validate(schema, example["payload"])
    jsonschema_rs.validate(HEADERS, example["headers"])
    event = read_event(example["headers"], json.dumps(example["payload"]).encode())
    assert unkeyed_event_id(event.type, event.natural_id) == example["headers"]["ce_id"]
    assert event.key == example["headers"]["ce_partitionkey"]


def test_every_type_that_partners_read_has_a_message() -> None:
    read = {type_ for type_, event in BY_TYPE.items() if event.is_for_partners()}
    assert {message["name"] for message in MESSAGES.values()} == read


@pytest.fixture(scope="module")
def checker() -> Path:
    return installed(ROOT / "tests" / "node")


ENUMS = {
    "CredentialRevoked": ("reason", "RevocationReason"),
    "CredentialTakenDown": ("reason", "TakeDownReason"),
    "OrganisationPublished": ("kind", "OrganisationKind"),
    "": (r"(?:\w+_)?level", "SoloLevel"),
}
"""The fields of the models that are enumerations, and which, by the message; of any message the last."""


def test_a_validator_finds_nothing_and_models_in_typescript_take_the_examples(checker: Path, tmp_path: Path) -> None:
    models = run("node", "asyncapi.mjs", str(PARTNERS), str(tmp_path), cwd=checker).split()
    assert set(MESSAGES) <= set(models)
    # As literals, so that the compiler looks for what is missing, too much, or of another type.
    lines = [f'import {{ {name} }} from "./{name}";' for name in (*MESSAGES, *(each for _, each in ENUMS.values()))]
    for name, message in MESSAGES.items():
        literal = json.dumps(message["examples"][0]["payload"])
        for field, enumeration in (ENUMS[each] for each in (name, "") if each in ENUMS):
            written = rf'"\1": {enumeration}.'
            literal = re.sub(rf'"({field})": "(\w+)"', lambda m: m.expand(written) + m[2].upper(), literal)  # noqa: B023
        lines.append(f"export const example{name}: {name} = {literal};")
    lines.append("// @ts-expect-error: a credential's event is about one\nexport const none: CredentialIssued = {};")
    (tmp_path / "examples.ts").write_text("\n".join(lines), encoding="utf-8")
    tsc = str(checker / "node_modules" / ".bin" / "tsc")
    run(tsc, "--strict", "--noEmit", "--target", "es2022", "--moduleResolution", "bundler", "--module", "esnext",
        str(tmp_path / "examples.ts"))  # fmt: skip


def test_a_validator_finds_nothing_in_the_inner_document(checker: Path) -> None:
    run("node", str(checker / "asyncapi.mjs"), "internal.asyncapi.json", cwd=EVENTS)


def test_models_in_python_take_the_examples(tmp_path: Path) -> None:
    models = tmp_path / "models.py"
    generator = str(Path(sys.executable).with_name("datamodel-codegen"))
    run(generator, "--input", str(PARTNERS), "--input-file-type", "asyncapi", "--output", str(models),
        "--output-model-type", "pydantic_v2.BaseModel", "--formatters", "builtin")  # fmt: skip
    payloads = {name: message["examples"][0]["payload"] for name, message in MESSAGES.items()}
    (tmp_path / "payloads.json").write_text(json.dumps(payloads), encoding="utf-8")
    program = (
        "import json, models\n"
        "for name, payload in json.load(open('payloads.json')).items():\n"
        "    read = getattr(models, name).model_validate(payload)\n"
        "    assert set(payload) <= set(type(read).model_fields), name\n"
    )
    run(sys.executable, "-c", program, cwd=tmp_path)
