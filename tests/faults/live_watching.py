"""Trials of alerts about the monitoring itself, and about what is looked at from outside: certificates, the audit."""

import contextlib
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bowerbird.backups import manifest
from deploy.certificate import self_signed
from deploy.embedded.layout import SOURCE_ROOT
from tests.faults.live_faults import SCHOOL, Alarms, Trial, free_address, nothing
from tests.faults.live_prometheus import Target, end, program
from tests.waiting import eventually


class Certified:
    """Something on a port of its own that shows a certificate to whoever connects, and no more."""

    def __init__(self, folder: Path, life: timedelta) -> None:
        """Listen, and show a certificate of this life."""
        self.show(folder, life)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._answer, daemon=True).start()

    def show(self, folder: Path, life: timedelta) -> None:
        """Show a certificate of this life from now on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self_signed(folder, life=life))
        self._context = context

    def close(self) -> None:
        """Listen no more."""
        self._listening.close()

    def _answer(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), connection:
                self._context.wrap_socket(connection, server_side=True).close()


def of_certificates(alarms: Alarms) -> Iterator[Trial]:
    """A certificate that ends in two hours, seen through the exporter that is shipped, with its configuration."""
    servers: list[Certified] = []

    def soon() -> None:
        servers.append(server := Certified(alarms.folder / "ends-soon", timedelta(hours=2)))
        alarms.at_end.callback(server.close)
        prober = free_address()
        alarms.run(
            program("prometheus-blackbox-exporter"),
            f"--config.file={SOURCE_ROOT / 'deploy/blackbox/blackbox.yml'}",
            f"--web.listen-address={prober}",
        )
        alarms.prometheus.ask("certificates", Target("certificates", prober, path="/probe", probe=server.address))

    def later() -> None:
        servers[-1].show(alarms.folder / "ends-later", timedelta(days=60))

    yield Trial("certificate", frozenset({"BowerbirdCertificateEnds"}), soon, later)


def of_monitoring(alarms: Alarms) -> Iterator[Trial]:
    """An exporter that is away, a rule that cannot be evaluated, nobody to tell."""
    prometheus = alarms.prometheus
    yield Trial(
        "no-exporter",
        frozenset({"BowerbirdExporterDown"}),
        lambda: prometheus.ask("away", Target("away", free_address())),
        lambda: prometheus.ask("away", None),
        labels={"job": "away"},
    )
    yield Trial(
        "bad-rule",
        frozenset({"BowerbirdRulesFail"}),
        lambda: prometheus.rule_fails(fails=True),
        lambda: prometheus.rule_fails(fails=False),
    )


def of_telling(alarms: Alarms) -> Iterator[Trial]:
    """Nobody to tell."""
    yield Trial(
        "no-alertmanager",
        frozenset({"BowerbirdNotificationsFail"}),
        alarms.alertmanager.stop,
        alarms.alertmanager.start,
    )


class Audits:
    """The nightly audit and the backups that it reads, run as `bowerbird` runs them."""

    def __init__(self, alarms: Alarms) -> None:
        """Take the stack that is looked at."""
        self._alarms = alarms
        self._backups = alarms.folder / "backups"
        self._child: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Make a backup, and audit."""
        command = [sys.executable, "-m", "bowerbird", "backup", str(self._backups / "one")]
        subprocess.run(command, env=self._environment, check=True, capture_output=True)
        self.again()

    def again(self) -> None:
        """Audit anew, and go on serving what was found."""
        address = free_address()
        end(self._child)
        environment = self._environment | {"BOWERBIRD_METRICS_PORT": address.rpartition(":")[2]}
        command = [sys.executable, "-m", "bowerbird", "audit", "promises", "--every", "24", "--grace", "1"]
        with (self._alarms.folder / "audit.log").open("ab") as log:
            self._child = subprocess.Popen(
                [*command, "--backups", str(self._backups)], env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        self._alarms.at_end.callback(end, self._child)
        self._alarms.prometheus.ask("audit", Target("audit", address))

    def age(self) -> None:
        """Let the backup be of two days ago."""
        self._date(datetime.now(UTC) - timedelta(days=2))

    def renew(self) -> None:
        """Let the backup be of now."""
        self._date(datetime.now(UTC))

    def _date(self, moment: datetime) -> None:
        if not self._backups.exists():
            self.begin()
        path = self._backups / "one" / manifest.NAME
        written = json.loads(path.read_bytes())
        written["moment"]["seconds"] = int(moment.timestamp())
        path.write_text(json.dumps(written))
        self.again()

    @property
    def _environment(self) -> dict[str, str]:
        return self._alarms.stack.environment("issuer") | {"PYTHONPATH": str(SOURCE_ROOT)}


def of_audits(audits: Audits) -> Iterator[Trial]:
    """No audit and no backup yet, then both."""
    missing = frozenset({"BowerbirdAuditStale", "BowerbirdBackupUnverified"})
    yield Trial("no-audit", missing, nothing, audits.begin)


def of_findings(alarms: Alarms, audits: Audits) -> Iterator[Trial]:
    """A backup that is old, and a document that the verifier has lost."""
    lost: list[dict[str, object]] = []

    def lose() -> None:
        with alarms.database("verifier") as database:
            documents = database["documents"]
            eventually(lambda: documents.find_one({"issuer_id": SCHOOL}) is not None)
            lost.extend(documents.find({"issuer_id": SCHOOL}).limit(1))
            documents.delete_one({"_id": lost[0]["_id"]})
        audits.age()

    def find() -> None:
        with alarms.database("verifier") as database:
            for each in lost:  # one that was revoked meanwhile came again by itself
                database["documents"].update_one({"_id": each["_id"]}, {"$setOnInsert": each}, upsert=True)
        audits.renew()

    yield Trial("findings", frozenset({"BowerbirdAuditDiffers", "BowerbirdBackupOld"}), lose, find)
