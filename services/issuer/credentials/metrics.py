"""What the issuer counts of signing and revoking credentials; label values are this service's own codes."""

from prometheus_client import Counter, Gauge, Histogram

from libs.common.metrics import from_zero

SIGNING_SECONDS = Histogram(
    "bowerbird_issuer_signing_seconds",
    "Time to prepare and sign one credential",
    buckets=(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25),
)
REVOCATIONS = Counter(
    "bowerbird_issuer_revocations", "Commands to revoke or take down, by what became of them", ["outcome"]
)
TAKE_DOWNS = Counter("bowerbird_issuer_take_downs", "Credentials taken down, repeats of a command among them")
WAITING_COMMANDS = Gauge(
    "bowerbird_issuer_waiting_commands",
    "Commands to revoke or take down that wait for their credential, in the whole database",
)
WAITING_OLDEST = Gauge(
    "bowerbird_issuer_waiting_commands_oldest_seconds",
    "For how long the command has waited that has waited longest for its credential",
)

from_zero(REVOCATIONS, ["revoked", "waiting", "no_such_credential"])
