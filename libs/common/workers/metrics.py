"""What is counted of worker processes."""

from prometheus_client import Counter, Gauge

from libs.common.metrics import from_zero

STARTED = Counter("bowerbird_workers_started", "Worker processes started")
ENDED = Counter("bowerbird_jobs_ended", "Jobs that were ended at a limit, with their worker, by which", ["limit"])
REFUSED = Counter("bowerbird_jobs_refused", "Jobs that were refused because too many were waiting")
IN_FLIGHT = Gauge("bowerbird_jobs_in_flight", "Jobs that run in a worker or wait for one")

from_zero(ENDED, ["took_too_long", "too_costly"])
