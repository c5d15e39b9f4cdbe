"""The table of services, docker-compose.yml, the Dockerfile, Prometheus and Grafana say the same."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bowerbird import registry
from deploy import store_access
from deploy.embedded import kafka, mongodb
from deploy.embedded.layout import PORTS, Layout
from deploy.embedded.programs import build
from deploy.embedded.services import BY_NAME, INFRASTRUCTURE, OWN, TABLE, Service
from deploy.monitoring.alert import MEANINGS
from libs.common.edge_settings import EdgeSettings
from libs.contracts.rights import ADMINISTRATOR, BACKUP, REPUBLISH

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
CONTAINERS: dict[str, Any] = COMPOSE["services"]
KEYS: list[str] = CONTAINERS["keys"]["volumes"]
OURS = [service for service in TABLE if service.command]
EXPORTERS = ("mongodb-exporter", "kafka-exporter", "node-exporter", "blackbox-exporter")
BY_HAND = ("backup", "restore", "operator")
LASTING = sorted(set(CONTAINERS) - {"setup", "keys", *BY_HAND})
HTTP = [BY_NAME[name] for name in OWN]
MODULES = {"bowerbird", "libs", "services", "deploy"}


def named(service: Service) -> str:
    return service.name


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_every_row_of_the_table_is_a_container_of_the_same_name() -> None:
    assert {service.name for service in TABLE} <= set(CONTAINERS)


def test_compose_runs_nothing_beside_the_table_but_keys_monitoring_and_the_proxy() -> None:
    monitoring = {"prometheus", "alertmanager", "grafana", "audit", *EXPORTERS}
    assert set(CONTAINERS) - {service.name for service in TABLE} == {"keys", "proxy", *BY_HAND, *monitoring}


@pytest.mark.parametrize("service", OURS, ids=named)
def test_a_container_runs_the_command_of_its_row(service: Service) -> None:
    assert tuple(CONTAINERS[service.name]["command"]) == service.command


@pytest.mark.parametrize("service", OURS, ids=named)
def test_a_container_gets_the_variables_of_its_row_and_no_other(service: Service) -> None:
    assert set(CONTAINERS[service.name]["environment"]) == set(service.environment)


@pytest.mark.parametrize("service", HTTP, ids=named)
def test_a_container_listens_on_the_port_of_its_row_and_is_published_by_the_proxy_alone(service: Service) -> None:
    container, port = CONTAINERS[service.name], PORTS[service.port or ""]
    assert container["environment"]["BOWERBIRD_HTTP_PORT"] == str(port)
    # Two replicas could not have one port of the machine.
    assert "ports" not in container
    assert f"server {service.name}:{port} " in text("deploy/nginx/bowerbird.conf")
    assert container["environment"]["BOWERBIRD_METRICS_PORT"] == str(PORTS[f"{service.port}-metrics"])


@pytest.mark.parametrize("service", HTTP, ids=named)
def test_a_container_has_longer_to_stop_than_a_service_may_take(service: Service) -> None:
    fields = registry.find(service.name).settings.model_fields
    longest = sum(fields[f"{name}_seconds"].default for name in ("listen_on", "proxy_idle", "shutdown"))
    assert CONTAINERS[service.name]["stop_grace_period"] == "60s"
    # Each thing that is closed has a moment more, when the time for all of them is over.
    assert longest + 10 <= 60


@pytest.mark.parametrize("service", HTTP, ids=named)
def test_a_container_is_asked_for_its_health_where_its_row_says(service: Service) -> None:
    asked = CONTAINERS[service.name]["healthcheck"]["test"]
    assert asked[-1] == f"http://127.0.0.1:{PORTS[service.port or '']}{service.health}"


@pytest.mark.parametrize("name", sorted(CONTAINERS))
def test_no_container_is_reachable_from_another_machine(name: str) -> None:
    assert all(str(port).startswith("127.0.0.1:") for port in CONTAINERS[name].get("ports", []))


@pytest.mark.parametrize("name", LASTING)
def test_no_health_check_starts_a_jvm(name: str) -> None:
    assert ".sh" not in str(CONTAINERS[name]["healthcheck"]["test"])


@pytest.mark.parametrize("name", LASTING)
def test_every_lasting_container_has_a_health_check_and_is_started_again(name: str) -> None:
    assert CONTAINERS[name]["healthcheck"]["test"]
    assert CONTAINERS[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(CONTAINERS))
def test_every_image_is_pinned_to_a_version(name: str) -> None:
    assert re.search(r":v?\d+\.\d+\.\d+$", CONTAINERS[name]["image"])


@pytest.mark.parametrize("name", [*(service.name for service in OURS), *EXPORTERS, "alertmanager", "audit", *BY_HAND])
def test_a_container_of_ours_cannot_write_its_file_system_nor_gain_rights(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in container["security_opt"]


def test_the_image_runs_as_nobody_in_particular() -> None:
    assert text("deploy/Dockerfile").rpartition("USER ")[2].startswith("10001:10001")


def test_every_volume_that_ours_write_is_a_folder_of_their_own_in_the_image() -> None:
    # Docker gives a new volume the owner of the folder that it is mounted over; where there is none, root.
    image = text("deploy/Dockerfile")
    folders, _ = re.findall(r"install -d -o bowerbird -g bowerbird -m 0700 ((?:/\S+ ?)+)", image)
    (stores,) = re.findall(r"for name in (.*?); do", image)
    made = {*folders.split(), *(f"/run/stores/{name}" for name in stores.split())}
    mounts = [each for each in KEYS if isinstance(each, str)] + CONTAINERS["backup"]["volumes"]
    assert {each.split(":")[1] for each in mounts if not each.endswith(":ro")} <= made


def test_the_image_holds_every_package_that_the_services_import() -> None:
    copied = set(re.findall(r"^COPY (\w+) /app/", text("deploy/Dockerfile"), re.MULTILINE)) | {"deploy"}
    assert copied == MODULES


def test_no_mongodb_logs_commands_which_hold_names_and_addresses(tmp_path: Path) -> None:
    embedded = " ".join(mongodb.command(Layout(tmp_path), Path("mongod")))
    assert "--slowms 2147483647 --slowOpSampleRate 0" in embedded
    assert "--slowms=2147483647 --slowOpSampleRate=0" in COMPOSE["services"]["mongodb"]["command"][0]


def test_compose_and_the_embedded_stack_run_the_same_kafka() -> None:
    assert CONTAINERS["kafka"]["image"] == f"apache/kafka:{kafka.version()}"


def test_the_kafka_of_compose_asks_and_allows_as_the_embedded_one_does() -> None:
    lines = text("deploy/kafka/server.properties").splitlines()
    settings = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    folder = Path("/run/stores")
    asking = store_access.kafka_properties(
        folder / "certificate.pem", folder / "certificate-and-key.pem", folder / "node-password"
    )
    assert {name: settings.get(name) for name in asking} == asking
    (script,) = CONTAINERS["kafka"]["command"]
    assert "@/run/stores/first-users >/dev/null" in script, "its output tells of the passwords"


@pytest.mark.parametrize("service", OURS, ids=named)
def test_a_container_is_given_its_own_passwords_and_no_others(service: Service) -> None:
    environment = CONTAINERS[service.name]["environment"]
    principal = f"bowerbird-{service.name}"
    assert (environment["BOWERBIRD_KAFKA_USERNAME"], environment["BOWERBIRD_MONGO_USERNAME"]) == (principal, principal)
    mounted = [volume for volume in CONTAINERS[service.name]["volumes"] if "/run/stores" in volume]
    assert mounted == [f"{service.name}-access:/run/stores:ro"]
    assert f"{service.name}-access:/run/stores/{service.name}" in KEYS


def test_the_container_that_audits_may_read_and_holds_no_key_that_signs_or_opens_anything() -> None:
    audit = CONTAINERS["audit"]
    users = {name: value for name, value in audit["environment"].items() if name.endswith("_USERNAME")}
    assert set(users.values()) == {BACKUP}
    assert audit["volumes"] == ["backup-access:/run/stores:ro", "authority:/run/authority:ro", "backups:/backups:ro"]
    assert "backup-access:/run/stores/backup" in KEYS


@pytest.mark.parametrize(
    ("name", "user", "folder", "others"),
    [
        ("backup", BACKUP, "backup", ["backups:/backups"]),
        ("restore", ADMINISTRATOR, "setup", ["backups:/backups:ro"]),
        ("operator", REPUBLISH, "republish", ["keys:/run/keys:ro", "authority:/run/authority:ro"]),
    ],
)
def test_what_runs_by_hand_is_one_user_of_the_stores_has_what_it_needs_and_starts_with_nothing_else(
    name: str, user: str, folder: str, others: list[str]
) -> None:
    container = CONTAINERS[name]
    users = {name: value for name, value in container["environment"].items() if name.endswith("_USERNAME")}
    assert set(users.values()) == {user}
    assert container["profiles"] == ["operator"]
    assert container["volumes"] == [f"{folder}-access:/run/stores:ro", *others]
    assert f"{folder}-access:/run/stores/{folder}" in KEYS


@pytest.mark.parametrize("name", sorted(CONTAINERS))
def test_no_secret_is_a_variable_of_a_container(name: str) -> None:
    # Whoever may ask Docker about a container reads its variables, and `docker compose config` prints them.
    secret = re.compile(r"(SECRET|PASSWORD|KEK|KEY)$")
    assert not [each for each in CONTAINERS[name].get("environment", {}) if secret.search(each)]


def test_every_jar_of_kafka_is_the_version_that_the_project_file_names() -> None:
    ours = [name for name in kafka.expected_jars() if name.startswith("kafka")]
    assert ours
    assert all(name.endswith(f"-{kafka.version()}.jar") for name in ours)


@pytest.mark.parametrize("service", HTTP, ids=named)
def test_every_variable_of_a_row_is_a_setting_of_its_service(service: Service) -> None:
    fields = registry.find(service.name).settings.model_fields
    assert {name.removeprefix("BOWERBIRD_").lower() for name in service.environment} <= set(fields)


@pytest.mark.parametrize("service", HTTP, ids=named)
def test_a_service_starts_with_the_values_that_the_embedded_stack_gives_it(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path / "var", 300)
    layout.create()
    for name, value in build(layout, service.name, "tansu", print).environment.items():
        if name.startswith("BOWERBIRD_"):
            monkeypatch.setenv(name, value)
    loaded = registry.find(service.name).settings.load()
    assert loaded.http_port == PORTS[service.port or ""] + 300
    assert loaded.kafka_idempotence is False


def test_a_process_of_the_stack_inherits_no_variable_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOWERBIRD_KAFKA_BATCH_RECORDS", "7")
    layout = Layout(tmp_path / "var")
    layout.create()
    assert "BOWERBIRD_KAFKA_BATCH_RECORDS" not in build(layout, "verifier", "kafka", print).environment


def test_no_two_processes_share_a_port_even_with_ten_replicas() -> None:
    layout = Layout(Path("var"))
    used = [layout.port(name, replica) for name in OWN for replica in range(1, 10)]
    used += [layout.port(f"{name}-metrics", replica) for name in OWN for replica in range(1, 10)]
    used += [layout.port(name) for name in (*INFRASTRUCTURE, "kafka-controller")]
    assert len(used) == len(set(used))


def test_prometheus_asks_every_service_where_it_listens() -> None:
    config = yaml.safe_load(text("deploy/prometheus/prometheus.yml"))
    (ours,) = (job for job in config["scrape_configs"] if job["job_name"] == "bowerbird")
    asked = {(name, each["port"]) for each in ours["dns_sd_configs"] for name in each["names"]}
    assert asked == {(service.name, PORTS[f"{service.port}-metrics"]) for service in HTTP}
    assert {"source_labels": ["__meta_dns_name"], "target_label": "service"} in ours["relabel_configs"]


def test_prometheus_asks_every_exporter_and_tells_alertmanager() -> None:
    config = yaml.safe_load(text("deploy/prometheus/prometheus.yml"))
    others = [job for job in config["scrape_configs"] if job["job_name"] != "bowerbird"]
    asked = {
        target.partition(":")[0]
        for job in others
        for each in job.get("static_configs", ())
        for target in each["targets"]
    }
    (probing,) = (job for job in others if job["job_name"] == "certificates")
    asked.add(probing["relabel_configs"][-1]["replacement"].partition(":")[0])
    assert asked == {*EXPORTERS, "alertmanager", "audit", "127.0.0.1"}
    (told,) = config["alerting"]["alertmanagers"]
    assert told["static_configs"][0]["targets"] == ["alertmanager:9093"]


@pytest.mark.parametrize("name", ["mongodb-exporter", "kafka-exporter"])
def test_an_exporter_of_a_store_has_the_monitors_password_and_no_other_and_shows_it_to_nobody(name: str) -> None:
    container = CONTAINERS[name]
    assert container["volumes"] == ["monitor-access:/run/stores:ro"]
    assert "environment" not in container
    (script,) = container["command"]
    assert "bowerbird-monitor" in script
    assert not [line for line in script.splitlines() if "exec" in line and "password" in line]
    assert "ports" not in container


def test_alerts_of_each_severity_go_to_a_receiver_of_their_own() -> None:
    config = yaml.safe_load(text("deploy/alertmanager/alertmanager.yml"))
    routes = {route["matchers"][0]: route["receiver"] for route in config["route"]["routes"]}
    assert routes == {f'severity="{severity}"': severity for severity in MEANINGS}
    assert {each["name"] for each in config["receivers"]} == set(MEANINGS)


@pytest.mark.skipif(shutil.which("amtool") is None, reason="NOT PROVEN HERE: no amtool")
def test_alertmanager_takes_its_configuration() -> None:
    run = ("amtool", "check-config", "deploy/alertmanager/alertmanager.yml")
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_grafana_lets_nobody_in_as_an_administrator_by_a_known_password() -> None:
    environment = COMPOSE["services"]["grafana"]["environment"]
    assert environment["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"
    assert environment["GF_AUTH_BASIC_ENABLED"] == "false"
    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert COMPOSE["services"]["grafana"]["ports"] == ["127.0.0.1:3000:3000"]


def test_the_proxy_lets_through_what_the_services_allow_one_issuer() -> None:
    proxy = (ROOT / "deploy/nginx/bowerbird.conf").read_text(encoding="utf-8")
    fields = EdgeSettings.model_fields
    assert f"rate={fields['rate_per_issuer'].default}r/m;" in proxy
    assert f"burst={fields['rate_per_issuer'].default // 2} nodelay;" in proxy
    assert f"limit_conn bowerbird_connections {fields['http_connections_per_address'].default};" in proxy
