"""Each service may do at Kafka what its code does, and nothing else; who connects to a store there says who it is."""

import ast
from pathlib import Path

import pytest

from libs.common.settings import Settings, SettingsError
from libs.common.store_access import kafka_options, mongo_options
from libs.contracts import events, rights, topics
from libs.contracts.rights import Acl, declared, partner
from libs.contracts.topics import AUDIT_ENTRIES, DEAD_LETTERS, SENT_AGAIN, TOPICS
from services.issuer.recovery.marks import TOPICS as PUBLISHED
from tests.unit.test_architecture import consumers

ROOT = Path(__file__).parents[2]
KEY_USE = "libs/access/key_use.py"
SET_BACK = "libs/common/set_back.py"
"""The one library that publishes: each service that is asked with API keys tells when they were used."""


def published(path: Path) -> set[str]:
    """Return the topics of the event classes that this file makes."""
    calls = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    called = {ast.unparse(each.args[0] if ast.unparse(each.func) == "unchecked" else each.func) for each in calls}
    made = [getattr(events, name) for name in called if hasattr(events, name)]
    return {
        topic.name
        for each in made
        if isinstance(each, type) and issubclass(each, events.Event) and hasattr(each, "topic")
        for topic in (each.topic, *each.other_topics)
    }


@pytest.mark.parametrize("service", topics.SERVICES)
def test_a_service_may_write_the_topics_of_the_events_that_its_code_makes_and_those_of_all(service: str) -> None:
    made = set[str]().union(*(published(path) for path in (ROOT / "services" / service).rglob("*.py")))
    composed = (ROOT / f"services/{service}/service.py").read_text(encoding="utf-8")
    if "ApiKeys(" in composed:
        assert published(ROOT / KEY_USE) == {topics.ACCESS_USE.name}
        made.add(topics.ACCESS_USE.name)
    if "StoreMoments(" in composed:
        assert published(ROOT / SET_BACK) == {topics.STORE_MOMENTS.name}
        made.add(topics.STORE_MOMENTS.name)
    assert {each.name for each in rights.SERVICES[service].writes} == {
        *made,
        DEAD_LETTERS[service].name,
        AUDIT_ENTRIES[service].name,
        topics.BROKER_CLOCK.name,
    }


@pytest.mark.parametrize("service", topics.SERVICES)
def test_a_service_may_read_the_topics_that_it_consumes(service: str) -> None:
    consumed = {f"{topic}.v1" for topic, services in consumers().items() if service in services}
    # What it published itself it takes up again where its database was set back.
    own = {"issuer": {each.name for each in PUBLISHED}, "notifier": {topics.STORE_MOMENTS.name}}.get(service, set())
    own |= {AUDIT_ENTRIES[service].name}
    assert {each.name for each in rights.SERVICES[service].reads} == {*consumed, *own, SENT_AGAIN[service].name}


def test_no_service_reads_another_ones_database_or_works_in_its_groups() -> None:
    entries = rights.SERVICES.values()
    for each in ("principal", "database", "groups"):
        assert len({getattr(entry, each) for entry in entries}) == len(rights.SERVICES)
    prefixes = [entry.groups for entry in entries]
    assert not any(a != b and a.startswith(b) for a in prefixes for b in prefixes)
    for entry in entries:
        others = {acl for acl in entry.acls() if acl.resource == "group" and acl.name != entry.groups}
        watched = set() if entry.watched is None else {Acl(entry.principal, "group", entry.watched, "DESCRIBE")}
        assert others == watched


def test_the_evidence_service_sees_how_far_names_and_addresses_are_read_and_reads_none() -> None:
    evidence, notifier = rights.SERVICES["evidence"], rights.SERVICES["notifier"]
    assert evidence.watched == rights.CONTACTS_GROUP
    assert rights.CONTACTS_GROUP.startswith(notifier.groups)
    assert topics.LEARNER_CONTACTS not in evidence.reads


def test_the_monitor_describes_every_topic_and_our_groups_and_reads_and_writes_nothing() -> None:
    acls = {acl for acl in declared(()) if acl.principal == rights.MONITOR}
    assert {acl.operation for acl in acls} == {"DESCRIBE"}
    topics_seen = {acl.name for acl in acls if acl.resource == "topic"}
    assert topics_seen == {each.name for each in (*TOPICS, *DEAD_LETTERS.values())}
    assert {acl.name for acl in acls if acl.resource == "group"} == {each.groups for each in rights.SERVICES.values()}


def test_who_keeps_backups_writes_no_topic_and_who_republishes_writes_what_is_filled_from_the_stores() -> None:
    written = {each: set[str]() for each in (rights.BACKUP, rights.REPUBLISH)}
    for acl in declared(()):
        if acl.operation == "WRITE" and acl.principal in written:
            written[acl.principal].add(acl.name)
    assert written == {rights.BACKUP: set(), rights.REPUBLISH: {each.name for each in rights.REPUBLISHED}}
    assert not set(rights.REPUBLISHED) & {topics.STATUS_LISTS, *DEAD_LETTERS.values()}


def test_a_partner_reads_what_is_for_partners_in_groups_of_its_own_and_writes_nothing() -> None:
    acls = partner("north").acls()
    assert {acl.name for acl in acls if acl.resource == "topic"} == {each.name for each in TOPICS if each.for_partners}
    assert {acl.operation for acl in acls} == {"READ", "DESCRIBE"}
    assert Acl("partner-north", "group", "partner-north.", "READ") in acls
    assert not partner("north-2").groups.startswith(partner("north").groups)


@pytest.mark.parametrize("name", ["", "North", "north.", "-north", "north-", "n*", "n" * 41, "north\n", "a b"])
def test_a_name_that_would_reach_beyond_one_partner_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a partner's name"):
        partner(name)


def test_partners_are_known_among_principals_by_their_prefix() -> None:
    assert declared(["bowerbird-evidence", "partner-north", "stranger", "partner-NO"]) == declared(["partner-north"])
    assert partner("north").acls() <= declared(["partner-north"])


def protected(tmp_path: Path) -> dict[str, str]:
    password = tmp_path / "password"
    password.write_text("correct-horse-battery-staple\n", encoding="ascii")
    password.chmod(0o600)
    return {
        "KAFKA_BOOTSTRAP": "kafka.example:9093",
        "KAFKA_SECURITY": "SASL_SSL",
        "KAFKA_USERNAME": "bowerbird-issuer",
        "KAFKA_PASSWORD_FILE": str(password),
        "MONGO_URL": "mongodb://mongodb.example/?replicaSet=bowerbird",
        "MONGO_USERNAME": "bowerbird-issuer",
        "MONGO_PASSWORD_FILE": str(password),
        "MONGO_CA_FILE": str(tmp_path / "ca.pem"),
    }


def loaded(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> Settings:
    for name, value in values.items():
        monkeypatch.setenv(f"BOWERBIRD_{name}", value)
    return Settings.load()


def test_stores_on_a_network_are_spoken_to_over_tls_with_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = loaded(monkeypatch, protected(tmp_path))
    options = kafka_options(settings)
    assert options["security_protocol"] == "SASL_SSL"
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert options["ssl_context"].check_hostname
    asked = mongo_options(settings)
    assert (asked["tls"], asked["username"], asked["authSource"]) == (True, "bowerbird-issuer", "admin")
    assert not any("correct-horse" in value for _name, value, _meaning in settings.described())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"KAFKA_SECURITY": "PLAINTEXT"}, "KAFKA_SECURITY"),
        ({"KAFKA_SECURITY": "SASL_PLAINTEXT"}, "KAFKA_SECURITY"),
        ({"KAFKA_SECURITY": "PLAINTEXT", "KAFKA_BOOTSTRAP": "127.0.0.1:9092,10.0.0.5:9092"}, "KAFKA_SECURITY"),
        ({"MONGO_CA_FILE": ""}, "MONGO_URL leads to another machine"),
        ({"MONGO_USERNAME": "", "MONGO_PASSWORD_FILE": ""}, "MONGO_URL leads to another machine"),
        ({"MONGO_URL": "mongodb://mongodb.example/?tls=false"}, "MONGO_URL leads to another machine"),
        ({"MONGO_URL": "mongodb://127.0.0.1,mongodb.example/", "MONGO_CA_FILE": ""}, "MONGO_URL leads"),
        ({"MONGO_USERNAME": ""}, "MONGO_USERNAME and BOWERBIRD_MONGO_PASSWORD_FILE, or neither"),
        ({"KAFKA_USERNAME": ""}, "KAFKA_USERNAME and"),
        ({"KAFKA_PASSWORD_FILE": ""}, "KAFKA_PASSWORD_FILE"),
    ],
)
def test_a_store_on_a_network_without_protection_stops_the_start(
    change: dict[str, str], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match=named):
        loaded(monkeypatch, protected(tmp_path) | change)


def test_whoever_says_so_runs_without_protection(monkeypatch: pytest.MonkeyPatch) -> None:
    far = {"KAFKA_BOOTSTRAP": "kafka:9092", "MONGO_URL": "mongodb://mongodb/"}
    with pytest.raises(SettingsError, match="STORES_UNPROTECTED=true"):
        loaded(monkeypatch, far)
    settings = loaded(monkeypatch, far | {"STORES_UNPROTECTED": "true"})
    assert (kafka_options(settings), mongo_options(settings)) == ({}, {})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_on_loopback_nothing_is_asked_for(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded(monkeypatch, {"KAFKA_BOOTSTRAP": f"{host}:29092", "MONGO_URL": f"mongodb://{host}:27117/"})


@pytest.mark.parametrize(("mode", "content", "told"), [(0o640, "x" * 32, "mode 0640"), (0o600, "short", "fewer than")])
def test_a_password_that_others_read_or_guess_is_refused_and_not_told(
    mode: int, content: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = loaded(monkeypatch, protected(tmp_path))
    assert settings.kafka_password_file is not None
    settings.kafka_password_file.write_text(content, encoding="ascii")
    settings.kafka_password_file.chmod(mode)
    with pytest.raises(SettingsError, match=told) as caught:
        kafka_options(settings)
    assert content not in str(caught.value)
