"""The table of alerts: what fires, when, how fast somebody must look, and which panel shows it."""

from typing import Final

from deploy.monitoring.alert import Alert
from deploy.monitoring.alerts.audits import AUDITS
from deploy.monitoring.alerts.awards import AWARDS
from deploy.monitoring.alerts.mail import MAIL
from deploy.monitoring.alerts.recovery import RECOVERY
from deploy.monitoring.alerts.services import SERVICES
from deploy.monitoring.alerts.stores import STORES
from deploy.monitoring.alerts.trust import TRUST
from deploy.monitoring.alerts.watching import WATCHING
from deploy.monitoring.slos import SLO_ALERTS

__all__ = ["GROUPS", "Alert"]

GROUPS: Final[dict[str, tuple[Alert, ...]]] = {
    "services": SERVICES,
    "awards": AWARDS,
    "mail": MAIL,
    "trust": TRUST,
    "recovery": RECOVERY,
    "audits": AUDITS,
    "stores": STORES,
    "watching": WATCHING,
    "objectives": SLO_ALERTS,
}
"""The alerts by the group in which Prometheus evaluates them."""
