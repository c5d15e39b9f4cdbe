"""The command that writes, or checks, what is made from code: documents of events and HTTP APIs, alerts, dashboards."""

from pathlib import Path

from bowerbird import contracts as events
from bowerbird import generated, openapi, reference
from deploy.monitoring import documents as monitoring


def contracts(*, root: Path = Path(), check: bool = False) -> int:
    """Write what is made from code: documents of events and HTTP APIs, pages of reference, alerts and dashboards.

    Args:
        root: the folder of the project, in whose docs/ and deploy/ they stand.
        check: write nothing; exit 1 where a file is not what the code says.
    """
    work = generated.stale if check else generated.write
    changed = [
        f"{folder}/{file}"
        for folder, documents in (
            ("docs/events", events.documents()),
            ("docs/api", openapi.documents()),
            ("docs/reference", reference.documents()),
            ("docs/runbooks", monitoring.runbooks(root / "docs/runbooks")),
            ("deploy/prometheus/rules", monitoring.prometheus()),
            ("deploy/grafana/dashboards", monitoring.grafana()),
        )
        for file in work(root / folder, documents)
    ]
    print(f"{'not up to date' if check else 'written'}: {', '.join(changed) or 'none'}")
    return 1 if check and changed else 0
