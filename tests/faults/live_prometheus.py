"""A real Prometheus with the shipped rules, every duration in them shortened, for a stack under test."""

import contextlib
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx
import yaml

from deploy.embedded.layout import SOURCE_ROOT
from deploy.embedded.stack import Stack
from deploy.monitoring import documents
from deploy.monitoring.durations import shortened

OWN: Final = ("evidence", "issuer", "verifier", "notifier")
_PATIENCE_SECONDS: Final = 30.0
_SAMPLES: Final = 5
# Alertmanager takes an alert for over when it was not told of it for four times as long.
_RESEND: Final = "2s"
# What these count does not come faster because durations in rules are shorter: a process takes seconds to start, and a
# store that is away is asked again after seconds. Each keeps the proportion that it has in production.
_OWN_SCALES: Final = {"BowerbirdCrashLoop": 10.0, "BowerbirdRetries": 10.0}
_FAILING_RULE: Final = {"groups": [{"name": "tried", "rules": [{"record": "tried", "expr": "up + on (job) up"}]}]}


def program(name: str) -> str:
    """Return where a program is.

    Raises:
        LookupError: nowhere on this machine.
    """
    found = shutil.which(name)
    if found is None:
        raise LookupError(f"there is no {name}: apt-get install {name}")
    return found


def until_ready(url: str, child: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until it says that it is ready.

    Raises:
        TimeoutError: it ended, or is not ready in time.
    """
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    while True:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/-/ready", trust_env=False, timeout=2).status_code == 200:
                return
        if time.monotonic() > give_up_at or child.poll() is not None:
            raise TimeoutError(f"{url} is not ready; see {log}")
        time.sleep(0.1)


def end(child: "subprocess.Popen[bytes] | None") -> None:
    """End a process that was started here."""
    if child is not None and child.poll() is None:
        child.terminate()
        child.wait(timeout=30)


class Alertmanager:
    """Tells what fires as it is shipped, by mail to the stack's mail server, its pauses shortened."""

    def __init__(self, stack: Stack, folder: Path, port: int, scale: float) -> None:
        """Take the stack to whose mail server it speaks, a folder, a port, and what its pauses are divided by."""
        self._program = program("prometheus-alertmanager")
        self._stack = stack
        self._folder = folder
        self._scale = scale
        self.address = f"127.0.0.1:{port}"
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        text = (SOURCE_ROOT / "deploy/alertmanager/alertmanager.yml").read_text(encoding="utf-8")
        config = yaml.safe_load(text)
        config["global"]["smtp_smarthost"] = self._stack.layout.address("smtp")
        for route in (config["route"], *config["route"]["routes"]):
            for name in ("group_wait", "group_interval"):
                if name in route:
                    route[name] = shortened(route[name], self._scale)
        (self._folder / "alertmanager.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        with (self._folder / "alertmanager.log").open("ab") as log:
            self._child = subprocess.Popen(
                [
                    self._program,
                    f"--config.file={self._folder / 'alertmanager.yml'}",
                    f"--storage.path={self._folder / 'data'}",
                    f"--web.listen-address={self.address}",
                    "--cluster.listen-address=",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until_ready(f"http://{self.address}", self._child, self._folder / "alertmanager.log")

    def stop(self) -> None:
        """End it."""
        end(self._child)

    def told(self, alert: str) -> bool:
        """Return whether it takes this alert for one that fires."""
        asked = {"filter": f'alertname="{alert}"', "active": "true"}
        answer = httpx.get(f"http://{self.address}/api/v2/alerts", params=asked, trust_env=False, timeout=10)
        return bool(answer.json())


@dataclass(frozen=True)
class Target:
    """Whom Prometheus asks.

    Attributes:
        job: the label that the rules know.
        address: HOST:PORT; empty where nobody is asked any more.
        path: of the metrics.
        probe: what a prober is asked about; None where it is no prober.
        labels: further ones.
    """

    job: str
    address: str
    path: str = "/metrics"
    probe: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def config(self, name: str) -> dict[str, Any]:
        """Return its part of Prometheus' configuration; `name` is of it alone, and `job` replaces it in the series."""
        labels = {"job": self.job, **self.labels}
        asked = {
            "job_name": name,
            "metrics_path": self.path,
            "static_configs": [{"targets": [self.address] if self.address else [], "labels": labels}],
        }
        return asked if self.probe is None else asked | {"params": {"module": ["tls"], "target": [self.probe]}}


def _rules(scale: float) -> dict[str, Any]:
    """Return the shipped rules with durations divided by `scale`, but for those that have a scale of their own."""
    files = documents.rules(scale)
    for place, group in enumerate(files["alerts.yml"]["groups"]):
        for number, rule in enumerate(group["rules"]):
            if (own := _OWN_SCALES.get(rule["alert"])) is not None:
                others = documents.rules(min(own, scale))["alerts.yml"]["groups"][place]["rules"]
                group["rules"][number] = others[number]
    return files


class Prometheus:
    """Asks each service every second, and evaluates the rules every other."""

    def __init__(self, stack: Stack, folder: Path, port: int, scale: float, alertmanager: str) -> None:
        """Take the stack whose services are asked, a folder, a port, what durations are divided by, and whom to tell.

        Raises:
            LookupError: there is no Prometheus on this machine.
        """
        self._program = program("prometheus")
        self._alertmanager = alertmanager
        self._stack = stack
        self._folder = folder
        self.url = f"http://127.0.0.1:{port}"
        self._port = port
        self._scale = scale
        self._targets: dict[str, Target] = {"prometheus": Target("prometheus", f"127.0.0.1:{port}")}
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._client = httpx.Client(trust_env=False, timeout=_PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        for name, content in _rules(self._scale).items():
            (self._folder / name).write_text(yaml.safe_dump(content), encoding="utf-8")
        for service in OWN:
            self.ask_ours(service)
        self.rule_fails(fails=False)
        with (self._folder / "prometheus.log").open("wb") as log:
            self._child = subprocess.Popen(
                [
                    self._program,
                    f"--config.file={self._folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                    f"--rules.alert.resend-delay={_RESEND}",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until_ready(self.url, self._child, self._folder / "prometheus.log")
        self._until_all_were_asked()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end(self._child)

    def _until_all_were_asked(self) -> None:
        """Wait for a past without faults: a counter that is first seen after it has risen shows no rise."""
        often = f"count(count_over_time(up[1m]) >= {_SAMPLES}) == {len(self._targets)}"
        end = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < end:
            answer = httpx.get(f"{self.url}/api/v1/query", params={"query": often}, trust_env=False).json()
            if answer["data"]["result"]:
                return
            time.sleep(0.5)
        raise TimeoutError("Prometheus does not ask all of them")

    def ask(self, name: str, target: Target | None) -> None:
        """Ask somebody else too, or no more where it is None, and let it read that where it runs.

        A job stays, without a target: what a job that is gone has told last counts for five minutes.
        """
        with self._lock:
            self._targets[name] = target or replace(self._targets[name], address="")
            self._configure()

    def ask_ours(self, name: str) -> None:
        """Ask a service of ours, as it is from the start."""
        address = httpx.URL(self._stack.metrics_url(name)).netloc.decode()
        self.ask(name, Target("bowerbird", address, labels={"service": name}))

    def rule_fails(self, *, fails: bool) -> None:
        """Let there be a rule that cannot be evaluated, or none."""
        content = _FAILING_RULE if fails else {}
        with self._lock:
            (self._folder / "tried.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
            self._configure()

    def _configure(self) -> None:
        config = {
            "global": {
                "scrape_interval": "1s",
                "evaluation_interval": "2s",
                "external_labels": {"grafana": "", "runbooks": ""},
            },
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [self._alertmanager]}]}]},
            "rule_files": [str(self._folder / name) for name in (*documents.rules(), "tried.yml")],
            "scrape_configs": [each.config(name) for name, each in sorted(self._targets.items())],
        }
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
        if self._child is not None:
            self._child.send_signal(signal.SIGHUP)

    def firing(self) -> list[dict[str, str]]:
        """Return the labels of the alerts that fire now.

        Raises:
            OSError: it does not answer in time.
        """
        try:
            answer = self._client.get(f"{self.url}/api/v1/alerts").json()
        except httpx.TransportError as error:
            raise OSError(str(error)) from error
        return [each["labels"] for each in answer["data"]["alerts"] if each["state"] == "firing"]

    def signal(self, number: signal.Signals) -> None:
        """Signal it."""
        assert self._child is not None, "it runs"
        self._child.send_signal(number)
