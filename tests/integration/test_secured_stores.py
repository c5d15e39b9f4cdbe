"""Kafka with its real authorizer and MongoDB with users, both over TLS: awards flow, and nobody reaches further."""

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import httpx
import psutil
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.errors import ConnectionFailure, OperationFailure

from bowerbird import cli
from bowerbird.kafka_access import KafkaAccess
from bowerbird.setup import (
    NEXT_STEPS,
    Access,
    SetupSettings,
    change_passwords,
    partner_access,
    set_up,
    withdraw_partner,
)
from deploy.certificate import write_private
from deploy.embedded import mongodb, secrets
from deploy.embedded.layout import SOURCE_ROOT
from deploy.embedded.stack import Stack
from libs.audit.entry import Action, Entry
from libs.audit.log import AuditLog
from libs.audit.stored_form import recorded_of
from libs.common import mongo
from libs.common.settings import SettingsError
from libs.common.store_access import kafka_admin_options, mongo_options
from libs.contracts import rights, topics
from libs.contracts.results import SoloLevel
from libs.contracts.topics import Topic
from tests import compose, runbooks
from tests.faults.school import Row, SchoolClient, address
from tests.waiting import eventually

pytestmark = pytest.mark.integration
PORT_OFFSET = int(os.environ.get("TEST_PORT_OFFSET", "500")) + 300
SERVICES = ("smtp", "evidence", "issuer", "verifier", "notifier")
ISSUER = "secured"
ROWS = [Row(f"e-{number}", number, SoloLevel.RELATIONAL) for number in range(3)]
PARTNERS_PASSWORD = f"partner-{uuid4().hex}"
UNAUTHORIZED = 13


@pytest.fixture(scope="module")
def stack(apache_kafka: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole stack, its stores secured."""
    with Stack(Path(tmp_path_factory.mktemp("secured")), PORT_OFFSET, secured=True) as secured:
        secured.start("mongodb", "kafka")
        secured.start("setup")
        secured.start(*SERVICES, env={"BOWERBIRD_CANARY_SECONDS": "1"})
        yield secured


@pytest.fixture(scope="module")
def decided(stack: Stack) -> None:
    """Evidence of three learners was sent and decided."""
    school = SchoolClient(stack, ISSUER)
    (batch,) = school.send(ROWS, rows_per_batch=len(ROWS), mailed_one_in=1)

    def issued() -> bool:
        counts = school.batch(batch)["counts"]
        assert isinstance(counts, dict)
        return bool(counts["issued"] == len(ROWS))

    eventually(issued)


@pytest.fixture
def settings(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> SetupSettings:
    """Those of the setup step."""
    for variable, value in stack.environment("setup").items():
        monkeypatch.setenv(variable, value)
    return SetupSettings.load()


def options(stack: Stack, user: str, password: str | None = None) -> dict[str, Any]:
    """Another client's options than ours."""
    return {
        "bootstrap.servers": stack.kafka_bootstrap,
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(secrets.certificate(stack.layout, "kafka")[0]),
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": user if password else f"bowerbird-{user}",
        "sasl.password": password or secrets.password(stack.layout, "kafka", user),
        "log_level": 0,
    }


def why_not_written(access: dict[str, Any], topic: Topic) -> int | None:
    """Return the code of the error that writing to the topic ends with; None where it was written."""
    codes: list[int | None] = []
    producer = Producer(access | {"delivery.timeout.ms": 20_000})
    producer.produce(topic.name, b"x", on_delivery=lambda error, _: codes.append(error.code() if error else None))
    producer.flush(30)
    return codes[0]


def why_not_read(access: dict[str, Any], group: str, topic: Topic) -> int | None:
    """Return the code of the error that reading the topic in the group ends with; None where a record came."""
    errors: list[KafkaError] = []
    consumer = Consumer(access | {"group.id": group, "auto.offset.reset": "earliest", "error_cb": errors.append})
    consumer.subscribe([topic.name])
    try:
        for _ in range(200):
            message = consumer.poll(0.1)
            fault = message.error() if message is not None else None
            fault = fault or next((each for each in errors if each.code() in FINAL), None)
            if fault is not None:
                return fault.code()
            if message is not None:
                consumer.commit(message=message, asynchronous=False)
                return None
    except KafkaException as error:
        refused = error.args[0]
        assert isinstance(refused, KafkaError)
        return refused.code()
    finally:
        consumer.close()
    raise AssertionError("neither a record nor an error")


FINAL = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError._AUTHENTICATION,
    KafkaError._ALL_BROKERS_DOWN,
}


def test_an_award_flows_from_evidence_to_the_badge_and_the_mail(stack: Stack, decided: None) -> None:
    def mailed() -> bool:
        mails = [path.read_text("utf-8") for path in stack.layout.mail.glob("*.eml")]
        return all(any(address(row.learner) in mail for mail in mails) for row in ROWS)

    eventually(mailed)
    badges = {
        found
        for path in stack.layout.mail.glob("*.eml")
        for found in re.findall(r"/badges/([0-9a-f-]{36})", path.read_text("utf-8").replace("=\n", ""))
    }
    assert len(badges) == len(ROWS)

    def shown() -> bool:
        pages = [httpx.get(f"{stack.url('verifier')}/badges/{badge}", trust_env=False) for badge in badges]
        return all(page.status_code == 200 for page in pages)

    eventually(shown)


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        ("evidence", topics.CREDENTIAL_LIFECYCLE),
        ("evidence", topics.CREDENTIAL_DOCUMENTS),
        ("evidence", topics.CREDENTIAL_COMMANDS),
        ("evidence", topics.EVIDENCE_DECIDED),
        ("evidence", topics.ACCESS_KEYS),
        ("verifier", topics.CREDENTIAL_DOCUMENTS),
        ("notifier", topics.CREDENTIAL_LIFECYCLE),
        ("issuer", topics.EVIDENCE_BATCHES),
        ("issuer", topics.LEARNER_CONTACTS),
        ("issuer", topics.DEAD_LETTERS["evidence"]),
    ],
)
def test_a_service_cannot_write_what_is_anothers(stack: Stack, user: str, topic: Topic) -> None:
    assert why_not_written(options(stack, user), topic) == KafkaError.TOPIC_AUTHORIZATION_FAILED


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        ("evidence", topics.LEARNER_CONTACTS),
        ("verifier", topics.ACCESS_KEYS),
        ("notifier", topics.DEAD_LETTERS["notifier"]),
    ],
)
def test_a_service_cannot_read_what_it_does_not_need(stack: Stack, user: str, topic: Topic) -> None:
    found = why_not_read(options(stack, user), f"{user}-test", topic)
    assert found == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_a_service_cannot_work_in_anothers_group(stack: Stack, decided: None) -> None:
    found = why_not_read(options(stack, "evidence"), "issuer-evidence", topics.EVIDENCE_DECIDED)
    assert found == KafkaError.GROUP_AUTHORIZATION_FAILED
    assert why_not_read(options(stack, "evidence"), "evidence-test", topics.EVIDENCE_DECIDED) is None


def test_kafka_answers_nobody_without_the_right_password_or_in_the_clear(stack: Stack) -> None:
    wrong = options(stack, "bowerbird-evidence", "not-the-password-of-evidence")
    assert why_not_read(wrong, "evidence-test", topics.EVIDENCE_DECIDED) in FINAL
    nobody = {"bootstrap.servers": stack.kafka_bootstrap, "log_level": 0, "socket.timeout.ms": 3000}
    assert why_not_read(nobody, "evidence-test", topics.EVIDENCE_DECIDED) == KafkaError._ALL_BROKERS_DOWN


def test_a_user_of_one_database_reads_and_changes_no_other_and_manages_nobody(stack: Stack, decided: None) -> None:
    access = mongodb.client_options(stack.layout, "issuer")
    with MongoClient[dict[str, Any]](mongodb.url(stack.layout), **access) as own:
        assert own["issuer"]["issuers"].find_one() is not None
        refusals: list[Callable[[], object]] = [
            own["notifier"]["contacts"].find_one,
            lambda: own["evidence"]["rows"].insert_one({"_id": 1}),
            lambda: own.admin.command("createUser", "stranger", pwd="x" * 32, roles=["root"]),
            lambda: own.admin.command("usersInfo"),
            *reads_of_mongodbs_own(own),
        ]
        for refused in refusals:
            with pytest.raises(OperationFailure) as caught:
                refused()
            assert caught.value.code == UNAUTHORIZED


def test_the_synthetic_learner_comes_through_and_brokers_tell_their_time_under_these_rights(stack: Stack) -> None:
    def metrics(service: str) -> str:
        return httpx.get(stack.metrics_url(service), trust_env=False).text

    seen = 'bowerbird_canary_seconds_count{stage="%s"} [1-9]'
    for service, stage in (("evidence", "returned"), ("verifier", "verified"), ("notifier", "notified")):
        eventually(lambda: re.search(seen % stage, metrics(service)) is not None, 60)  # noqa: B023  # at once
    for service in topics.SERVICES:
        eventually(lambda: 'bowerbird_clock_ahead_seconds{of="kafka-1"}' in metrics(service), 60)  # noqa: B023  # at once


@pytest.mark.parametrize(
    ("service", "ledger"), [(service, each) for service, entry in rights.SERVICES.items() for each in entry.ledgers]
)
def test_a_service_adds_to_its_ledgers_and_changes_and_removes_nothing_of_them(
    stack: Stack, service: str, ledger: str
) -> None:
    access = mongodb.client_options(stack.layout, service)
    with MongoClient[dict[str, Any]](mongodb.url(stack.layout), **access) as own:
        log = own[service][ledger]
        assert log.count_documents({}) >= 0
        last = 10**12
        log.insert_one({"_id": last, "schema": 1})
        for refused in (
            lambda: log.update_one({"_id": last}, {"$set": {"schema": 2}}),
            lambda: log.replace_one({"_id": last}, {}),
            lambda: log.delete_one({"_id": last}),
            lambda: log.find_one_and_delete({"_id": last}),
            lambda: log.delete_many({}),
            log.drop,
            lambda: log.rename("other"),
            lambda: log.aggregate([{"$match": {}}, {"$out": "copy"}]),
            lambda: own[service]["waiting"].aggregate([{"$match": {}}, {"$out": ledger}]),
            lambda: own[service]["waiting"].aggregate([{"$match": {}}, {"$merge": {"into": ledger}}]),
            lambda: own[service]["other"].insert_one({}),
            lambda: own[service].command("collMod", ledger, validator={}),
            lambda: own.drop_database(service),
        ):
            with pytest.raises(OperationFailure) as caught:
                refused()
            assert caught.value.code == UNAUTHORIZED
    with MongoClient[dict[str, Any]](
        mongodb.url(stack.layout), **mongodb.client_options(stack.layout, "setup")
    ) as all_:
        assert all_[service][ledger].delete_one({"_id": last, "schema": 1}).deleted_count == 1


def test_mongodb_answers_nobody_without_a_password_or_in_the_clear(stack: Stack) -> None:
    url = mongodb.url(stack.layout)
    with MongoClient[dict[str, Any]](url, **mongodb.client_options(stack.layout, None)) as nobody:
        for refused in (
            nobody["issuer"]["issuers"].find_one,
            lambda: nobody.admin.command("createUser", "stranger", pwd="x" * 32, roles=["root"]),
        ):
            with pytest.raises(OperationFailure) as caught:
                refused()
            assert caught.value.code == UNAUTHORIZED
    with MongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=1500) as clear, pytest.raises(ConnectionFailure):
        clear.admin.command("ping")


async def test_setup_again_changes_nothing_and_names_permissions_that_no_table_declares(
    settings: SetupSettings,
) -> None:
    changes = ["topics created: none, all were there"]
    passwords = [f"password of {rights.SERVICES[each].principal} set" for each in sorted(rights.SERVICES)]
    assert await set_up(settings, 60) == passwords + changes
    cluster = KafkaAccess(kafka_admin_options(settings))
    stranger = AclBinding(
        ResourceType.TOPIC,
        topics.LEARNER_CONTACTS.name,
        ResourcePatternType.LITERAL,
        "User:stranger",
        "*",
        AclOperation.READ,
        AclPermissionType.ALLOW,
    )
    cluster.create([stranger])
    told = "stranger may read topic learner.contacts.v1"
    assert (await set_up(settings, 60, Access(dry_run=True)))[-1] == f"not declared: {told}"
    assert stranger in cluster.bindings()
    assert f"removed: {told}" in await set_up(settings, 60, Access(remove=True))
    assert stranger not in cluster.bindings()


async def test_a_partner_reads_what_is_for_partners_until_it_is_withdrawn(
    stack: Stack, decided: None, settings: SetupSettings
) -> None:
    await partner_access(settings, "north", PARTNERS_PASSWORD, Access(reason="the agreement of May"))
    access = options(stack, "partner-north", PARTNERS_PASSWORD)
    for group, topic, expected in (
        ("partner-north.app", topics.CREDENTIAL_LIFECYCLE, None),
        ("partner-north.app", topics.CATALOGUE, None),
        ("partner-north-2.app", topics.CATALOGUE, KafkaError.GROUP_AUTHORIZATION_FAILED),
        ("partner-north.app", topics.EVIDENCE_DECIDED, KafkaError.TOPIC_AUTHORIZATION_FAILED),
    ):
        assert await asyncio.to_thread(why_not_read, access, group, topic) == expected, (group, topic.name)
    refused = await asyncio.to_thread(why_not_written, access, topics.CREDENTIAL_LIFECYCLE)
    assert refused == KafkaError.TOPIC_AUTHORIZATION_FAILED
    await withdraw_partner(settings, "north")
    assert await asyncio.to_thread(why_not_read, access, "partner-north.app", topics.CATALOGUE) in FINAL
    admitted, withdrawn = await recorded(settings, "partner-north")
    assert (admitted.action, admitted.reason) == (Action.PARTNER_ADMITTED, "the agreement of May")
    assert admitted.cause.principal.startswith("operator:")
    assert "allowed: partner-north may read topic catalogue.v1" in str(admitted.details["changes"])
    assert (withdrawn.action, withdrawn.reason) == (Action.PARTNER_WITHDRAWN, None)


async def recorded(settings: SetupSettings, subject: str) -> list[Entry]:
    """What the audit log of the issuer says of this, the oldest first; its chain holds."""
    client = mongo.connect(settings.mongo_url.get_secret_value(), "test", mongo_options(settings))
    try:
        assert (await AuditLog(client["issuer"]).check()).broken_at is None
        found = client["issuer"]["audit"].find({"subject": subject}, sort=[("_id", 1)])
        return [recorded_of(each).entry for each in await found.to_list(None)]
    finally:
        await mongo.close(client)


async def test_rights_at_mongodb_stand_in_the_audit_log_and_what_somebody_changed_is_made_right(
    settings: SetupSettings,
) -> None:
    made = await recorded(settings, "mongodb")
    assert [each.action for each in made] == [Action.STORE_ACCESS_CHANGED]
    assert str(made[0].details["changes"]).count("made: ") == len(topics.SERVICES)
    client = mongo.connect(settings.mongo_url.get_secret_value(), "test", mongo_options(settings))
    await client.admin.command({"grantRolesToUser": "bowerbird-verifier", "roles": ["readAnyDatabase"]})
    await set_up(settings, 60, Access(reason="too much"))
    await mongo.close(client)
    *_, last = await recorded(settings, "mongodb")
    assert last.reason == "too much"
    assert last.details == {"changes": "changed: bowerbird-verifier, who reads and writes verifier"}
    await set_up(settings, 60)
    assert len(await recorded(settings, "mongodb")) == len(made) + 1


async def test_a_partner_is_not_admitted_where_that_cannot_be_recorded(stack: Stack, settings: SetupSettings) -> None:
    away = settings.model_copy(update={"mongo_url": SecretStr("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100")})
    with pytest.raises(TimeoutError):
        await partner_access(away, "south", PARTNERS_PASSWORD, Access())
    access = options(stack, "partner-south", PARTNERS_PASSWORD)
    assert await asyncio.to_thread(why_not_read, access, "partner-south.app", topics.CATALOGUE) in FINAL


async def test_those_who_manage_the_stores_get_new_passwords_and_the_old_ones_are_refused(
    stack: Stack, settings: SetupSettings, tmp_path: Path
) -> None:
    files = {"kafka-administrator": "setup", "kafka-node": "node", "mongodb-administrator": "setup"}
    new, old = tmp_path / "new", tmp_path / "old"
    new.mkdir()
    old.mkdir()
    for name, user in files.items():
        write_private(old / name, secrets.password(stack.layout, name.partition("-")[0], user).encode())
        write_private(new / name, uuid4().hex.encode())
    changed = settings.model_copy(
        update={
            "kafka_password_file": new / "kafka-administrator",
            "mongo_password_file": new / "mongodb-administrator",
        }
    )
    told = await change_passwords(settings, new, Access(reason="yearly"))
    try:
        assert [line.partition(":")[0] for line in told] == list(NEXT_STEPS)
        with pytest.raises(SettingsError, match="refuses us"):
            await set_up(settings, 60)
        assert (await set_up(changed, 60))[-1].startswith("topics created: none")
        node = options(stack, rights.NODE, (new / "kafka-node").read_text("ascii"))
        assert await asyncio.to_thread(why_not_read, node, "node", topics.CATALOGUE) is None
        (entry, *_) = await recorded(changed, "stores")
        assert (entry.action, entry.reason) == (Action.STORE_ACCESS_CHANGED, "yearly")
    finally:
        await change_passwords(changed, old, Access())


@pytest.mark.parametrize("store", ["mongo", "kafka"])
async def test_setup_with_a_wrong_password_says_so_at_once(store: str, settings: SetupSettings, tmp_path: Path) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("not-the-password-of-setup", encoding="ascii")
    wrong.chmod(0o600)
    with pytest.raises(SettingsError, match="refuses us") as caught:
        await set_up(settings.model_copy(update={f"{store}_password_file": wrong}), 3600)
    assert "not-the-password" not in str(caught.value)


def test_a_hangup_reads_certificates_and_keys_anew_and_ends_nothing(stack: Stack, decided: None) -> None:
    services = ("evidence", "issuer", "verifier", "notifier")
    pids = {service: stack.pid(service) for service in services}
    for service in services:
        stack.signal(service, signal.SIGHUP)
    for service in services:
        log = stack.log(service)
        eventually(lambda log=log: b'"part": "certificates"' in log.read_bytes())  # type: ignore[misc]  # bound now
        reloaded = [json.loads(line) for line in log.read_bytes().splitlines() if b"reloaded" in line]
        assert {"certificates", "connection-to-brokers"} <= {each["part"] for each in reloaded}
        metrics = httpx.get(stack.metrics_url(service), trust_env=False).text
        assert 'bowerbird_certificate_ends_timestamp_seconds{of="mongodb"}' in metrics
        assert 'bowerbird_reloads_total{outcome="failed"} 0.0' in metrics
    assert {service: stack.pid(service) for service in services} == pids
    stack.wait_ready(*services)


def test_no_password_stands_in_an_argument_list_or_a_log(stack: Stack) -> None:
    passwords = [path.read_text("ascii").strip() for path in secrets.passwords(stack.layout).iterdir()]
    assert len(passwords) == 11
    told = [path.read_text("utf-8", errors="replace") for path in stack.layout.log.iterdir()]
    told += [" ".join(psutil.Process(stack.pid(name)).cmdline()) for name in ("mongodb", "kafka", *SERVICES)]
    told.append((stack.layout.kafka / "server.properties").read_text("utf-8"))
    assert not (stack.layout.kafka / "first-users").exists()
    assert not [1 for password in passwords for text in told if password in text]


async def test_the_exporters_user_sees_how_the_stores_do_and_reads_nothing_in_them(
    stack: Stack, settings: SetupSettings, decided: None
) -> None:
    for store in ("kafka", "mongodb"):
        secrets.password_file(stack.layout, store, "monitor")
    url, administrator = mongodb.url(stack.layout), mongodb.client_options(stack.layout, "setup")
    with MongoClient[dict[str, Any]](url, **administrator) as everything:
        everything.admin.command("createUser", rights.MONITOR, pwd=uuid4().hex, roles=["clusterMonitor", "root"])
    assert f"password of {rights.MONITOR} set" in await set_up(settings, 60)
    with MongoClient[dict[str, Any]](
        mongodb.url(stack.layout), **mongodb.client_options(stack.layout, "monitor")
    ) as monitor:
        assert monitor.admin.command("replSetGetStatus")["myState"] == 1
        assert monitor.admin.command("serverStatus")["connections"]["current"] > 0
        for known in ("getDiagnosticData", "top", "hostInfo", "listDatabases"):
            assert monitor.admin.command(known)["ok"] == 1
        assert monitor["issuer"].command("dbStats")["objects"] > 0
        assert monitor["issuer"].command("collStats", "credentials")["count"] >= len(ROWS)
        refusals: list[Callable[[], object]] = [
            monitor["issuer"]["credentials"].find_one,
            monitor["notifier"]["contacts"].find_one,
            monitor["notifier"]["contacts"].watch,
            lambda: monitor.admin.command("usersInfo"),
            *reads_of_mongodbs_own(monitor),
        ]
        for refused in refusals:
            with pytest.raises(OperationFailure) as caught:
                refused()
            assert caught.value.code == UNAUTHORIZED
    access = options(stack, "monitor")
    asking = Consumer(access | {"group.id": "unused"})
    sent = [
        TopicPartition(topics.EVIDENCE_SUBMITTED.name, each) for each in range(topics.EVIDENCE_SUBMITTED.partitions)
    ]
    ends = [asking.get_watermark_offsets(each, timeout=20)[1] for each in sent]
    assert sum(ends) >= len(ROWS)
    asking_for_groups = AdminClient(access)
    groups = asking_for_groups.list_consumer_groups(request_timeout=20).result()
    assert "issuer-evidence" in {each.group_id for each in groups.valid}
    assert why_not_read(access, "issuer-evidence", topics.LEARNER_CONTACTS) in {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    }
    assert why_not_written(access, topics.CATALOGUE) == KafkaError.TOPIC_AUTHORIZATION_FAILED


def reads_of_mongodbs_own(client: MongoClient[dict[str, Any]]) -> list[Callable[[], object]]:
    """Return reads of what holds every write in the clear, users' stored keys, and commands as they were sent."""
    names = (("local", "oplog.rs"), ("local", "startup_log"), ("admin", "system.users"), ("notifier", "system.profile"))
    return [client[database][collection].find_one for database, collection in names]


def run(stack: Stack, user: str, *words: str) -> tuple[int, str]:
    """Run a command with the issuer's environment and this user at the stores; returns its status, what it printed."""
    environment = {**os.environ, **stack.environment("issuer"), "PYTHONPATH": str(SOURCE_ROOT)}
    for store, prefix in (("kafka", "KAFKA"), ("mongodb", "MONGO")):
        environment[f"BOWERBIRD_{prefix}_USERNAME"] = f"bowerbird-{user}"
        environment[f"BOWERBIRD_{prefix}_PASSWORD_FILE"] = str(secrets.password_file(stack.layout, store, user))
    command = [sys.executable, "-m", "bowerbird", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def admit_operators(stack: Stack) -> None:
    """Have the next setup make the user that reads everything, and the one that publishes too."""
    for store in ("kafka", "mongodb"):
        for user in ("backup", "republish"):
            secrets.password_file(stack.layout, store, user)


async def test_backups_audits_and_republishing_have_users_with_the_rights_that_they_need(
    stack: Stack, settings: SetupSettings, decided: None, tmp_path: Path
) -> None:
    admit_operators(stack)
    told = await set_up(settings, 60)
    assert {f"password of {user} set" for user in (rights.BACKUP, rights.REPUBLISH)} <= set(told)
    expected = (
        ("backup", ["backup", str(tmp_path / "backup")], 0, "documents"),
        ("backup", ["audit", "promises", "--grace", "1"], 0, "0 differences"),
        ("backup", ["republish", "--yes"], 1, "Kafka refuses it"),
        ("republish", ["republish", "--yes"], 0, "credentials, with what partners read"),
        ("republish", ["audit", "promises", "--grace", "1", "--repair"], 0, "0 differences"),
    )
    ended = await asyncio.gather(*(asyncio.to_thread(run, stack, user, *words) for user, words, *_ in expected))
    for (user, words, status, said), (found, printed) in zip(expected, ended, strict=True):
        assert (found, said in printed) == (status, True), f"{user} {words}: {printed}"
    refused_topic = await asyncio.to_thread(why_not_written, options(stack, "backup"), topics.CATALOGUE)
    assert refused_topic == KafkaError.TOPIC_AUTHORIZATION_FAILED
    for user in ("backup", "republish"):
        access = mongodb.client_options(stack.layout, user)
        with MongoClient[dict[str, Any]](mongodb.url(stack.layout), **access) as own:
            for refused in (
                lambda: own["issuer"]["credentials"].delete_many({}),  # at once
                lambda: own["issuer"]["audit"].delete_many({}),  # at once
                lambda: own.admin.command("usersInfo"),  # at once
                *reads_of_mongodbs_own(own),
            ):
                with pytest.raises(OperationFailure) as caught:
                    refused()
                assert caught.value.code == UNAUTHORIZED


def given(stack: Stack, container: str) -> dict[str, str]:
    """Return the variables that a container of compose has, with the values that they have here, as its own user."""
    variables: dict[str, str] = compose.CONTAINERS[container]["environment"]
    here: dict[str, str] = {}
    for service in ("setup", *topics.SERVICES):
        here |= stack.environment(service)
    for store, prefix in (("kafka", "KAFKA"), ("mongodb", "MONGO")):
        name = variables[f"BOWERBIRD_{prefix}_USERNAME"]
        here[f"BOWERBIRD_{prefix}_USERNAME"] = name
        user = name.removeprefix("bowerbird-")
        here[f"BOWERBIRD_{prefix}_PASSWORD_FILE"] = str(secrets.password_file(stack.layout, store, user))
    return {variable: here.get(variable, value) for variable, value in variables.items()}


def test_what_operators_run_in_containers_works_with_what_each_is_given(
    stack: Stack,
    settings: SetupSettings,
    decided: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    admit_operators(stack)
    asyncio.run(set_up(settings, 60))
    for command in runbooks.IN_CONTAINERS:
        call = compose.read(command) if command.startswith("docker compose ") else None
        if call is None or not call.is_ours:
            continue
        words = [re.sub("^/backups", str(tmp_path), word.replace("ISSUER", ISSUER)) for word in call.words]
        others = {name: value for name, value in os.environ.items() if not name.startswith("BOWERBIRD_")}
        with mock.patch.dict(os.environ, {**others, **given(stack, call.services[0])}, clear=True):
            status = cli.app(words, exit_on_error=False, result_action="return_value")
        printed = capsys.readouterr()
        # The stores hold something, and services run: that is all that is said against it.
        refused = "Stop every service first" in printed.err if words[0] == "restore" else False
        assert (status or 0) == int(refused), f"{command}: {status}\n{printed.out[-2000:]}\n{printed.err[-2000:]}"
        assert refused == (words[0] == "restore")


def test_what_operators_ask_logs_disks_and_certificates_is_answered(stack: Stack, tmp_path: Path) -> None:
    lines = []
    for command in runbooks.IN_CONTAINERS:
        if not command.startswith("docker compose "):
            lines.append(command.replace("ADDRESS", f"localhost:{stack.layout.port('mongodb')}"))
            continue
        call = compose.read(command)
        if call.behind:
            logs = [stack.log(each) for each in call.services or SERVICES if each in (*SERVICES, "mongodb")]
            # One that is found nowhere is no fault; a pattern that cannot be read is.
            lines.append(f"cat /dev/null {shlex.join(map(str, logs))} | {call.behind} || test $? = 1")
        elif not call.is_ours:
            lines.append(shlex.join([*call.program, *call.words]).replace("/backups", str(tmp_path)))
    script = "set -eu\n" + "\n".join(lines)
    done = subprocess.run(["bash", "-x", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    assert "notAfter=" in done.stdout
