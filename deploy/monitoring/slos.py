"""Service level objectives: what a school, a learner or a verifier may expect, the rules that measure it, and alerts.

Each counts events, never averages of averages: so many of so many were bad. The rates of five minutes are recorded
once; longer windows are sums of them. An alert looks at a long window, and at a short one so that it ends soon after
the trouble does: Google, The Site Reliability Workbook, chapter 5, 'Alerting on SLOs'.
"""

from dataclasses import dataclass
from typing import Any, Final

from deploy.monitoring.alert import Alert, Severity
from deploy.monitoring.durations import seconds, shortened_expression

WINDOWS: Final = ("30m", "1h", "2h", "6h", "1d", "3d")
PERIOD: Final = "30d"
_FEWEST_ERRORS: Final = 5
_SHORTEST_RANGE: Final = 5
# Long window, short window, and how many times faster than allowed the budget is used up.
_BURNS: Final[dict[Severity, tuple[tuple[str, str, float], ...]]] = {
    "page": (("1h", "5m", 14.4), ("6h", "30m", 6)),
    "ticket": (("1d", "2h", 3), ("3d", "6h", 1)),
}


@dataclass(frozen=True, kw_only=True)
class Slo:
    """An objective.

    Attributes:
        name: its label in metrics.
        alert: the name of its alerts.
        promise: what is promised, in words.
        objective: the share of events that are to be good, over thirty days.
        events: PromQL, how many there are a second.
        errors: PromQL, how many of them are bad.
        consequence: what it means to people when it fails, and where to look first.
        why: why it is measured so, and at that number.
    """

    name: str
    alert: str
    promise: str
    objective: float
    events: str
    errors: str
    consequence: str
    why: str

    @property
    def budget(self) -> float:
        """The share of events that may be bad."""
        return round(1 - self.objective, 6)


def _rate(metric: str, matchers: str = "") -> str:
    return f"sum(rate({metric}{{{matchers}}}[5m]))" if matchers else f"sum(rate({metric}[5m]))"


def _slow(histogram: str, limit: str, matchers: str = "") -> str:
    """Return how many a second took longer than `limit`, which is a boundary of the histogram's buckets."""
    within = ",".join(filter(None, (matchers, f'le="{limit}"')))
    return f"{_rate(f'{histogram}_count', matchers)} - {_rate(f'{histogram}_bucket', within)}"


def _or_none(expression: str) -> str:
    """Return the expression, or 0 where there is no such series yet: a missing addend would take the sum away."""
    return f"({expression} or vector(0))"


_FAILED: Final = ',status=~"5.."'
_INTAKE: Final = 'route=~"/v1/evidence|/v1/batches|/v1/awards",method="POST"'
_SINGLE: Final = 'route="/v1/evidence",method="POST"'
_ORDINARY: Final = 'lane="ordinary"'
_PAGES: Final = 'route=~"/badges/.*|/issuers/.*|/status/.*|/achievements/.*",route!~".*png"'
_VERIFYING: Final = 'route=~"/v1/verify|/credentials/verify|/presentations/verify"'
_PUBLIC: Final = 'route=~"/v1/verify|/credentials/verify|/presentations/verify|/badges/.*|/issuers/.*|/status/.*"'

SLOS: Final = (
    Slo(
        name="intake",
        alert="BowerbirdIntakeFails",
        promise="An upload is answered without an error of ours; one of a single piece within half a second",
        objective=0.999,
        events=_rate("bowerbird_http_request_seconds_count", _INTAKE),
        errors=f"{_or_none(_rate('bowerbird_http_requests_total', _INTAKE + _FAILED))} "
        f"+ {_or_none(_slow('bowerbird_http_request_seconds', '0.5', _SINGLE))}",
        consequence="Schools cannot hand in evidence, or wait long; what was not acknowledged they send again. Look at "
        "the evidence service, then at Kafka.",
        why="What is refused by a rule (4xx) was answered. A file is answered when all of it has come, so how long "
        "that takes is its sender's: of files errors count alone.",
    ),
    Slo(
        name="freshness",
        alert="BowerbirdDecisionsLate",
        promise="Evidence that was taken in is decided within 15 minutes",
        objective=0.99,
        events=_rate("bowerbird_issuer_decision_delay_seconds_count"),
        errors=_slow("bowerbird_issuer_decision_delay_seconds", "900.0"),
        consequence="Learners wait for their badges; none is lost. Look at the lag of the issuer's consumer, then at "
        "MongoDB.",
        why="Of all evidence, that of large files too: how long these take depends on their size and on what others "
        "have sent.",
    ),
    Slo(
        name="promptness",
        alert="BowerbirdSmallBatchesLate",
        promise="Evidence that comes by itself or in a small file is decided within 30 seconds",
        objective=0.99,
        events=_rate("bowerbird_issuer_decision_delay_seconds_count", _ORDINARY),
        errors=_slow("bowerbird_issuer_decision_delay_seconds", "30.0", _ORDINARY),
        consequence="Schools wait for what they have just entered, though nothing is lost. Look at the lag of the "
        "issuer's consumer on `evidence.submitted`, then at MongoDB.",
        why="It has a lane of its own, so another school's large file is no reason. Half a minute is more than a "
        "service takes that is started again.",
    ),
    Slo(
        name="announcement",
        alert="BowerbirdAnnouncementsLate",
        promise="A credential is announced within two seconds of its issue",
        objective=0.999,
        events=_rate("bowerbird_issuer_announcement_seconds_count"),
        errors=_slow("bowerbird_issuer_announcement_seconds", "2.0"),
        consequence="Badges are recorded and neither shown nor mailed yet. Look at Kafka: it confirms slowly or not at "
        "all.",
        why="From the decision's being stored until Kafka has confirmed what was published of it.",
    ),
    Slo(
        name="verification",
        alert="BowerbirdVerificationFails",
        promise="Verifying, and every page that it needs, answers without an error of ours within 0.3 seconds",
        objective=0.9995,
        events=f"{_or_none(_rate('bowerbird_verification_seconds_count'))} "
        f"+ {_or_none(_rate('bowerbird_http_request_seconds_count', _PAGES))} "
        # What was refused was never verified, and so is not among those that were.
        f"+ {_or_none(_rate('bowerbird_http_requests_total', _VERIFYING + _FAILED))}",
        errors=f"{_or_none(_slow('bowerbird_verification_seconds', '0.3'))} "
        f"+ {_or_none(_slow('bowerbird_http_request_seconds', '0.3', _PAGES))} "
        f"+ {_or_none(_rate('bowerbird_http_requests_total', _PUBLIC + _FAILED))}",
        consequence="Employers and learners see errors instead of badges. Look at the verifier, its workers and its "
        "MongoDB.",
        why="The strictest, since strangers have no other place to ask. A verdict 'unknown' is no error here: it is "
        "the right answer about most strangers' badges, and what of ours can cause it (a list that ended, a registry "
        "that is old) has an alert of its own.",
    ),
    Slo(
        name="revocation",
        alert="BowerbirdRevocationsSlow",
        promise="A revocation is served, on the badge's page and in its status list, within a minute of the request",
        objective=0.999,
        events=_rate("bowerbird_verifier_revocation_seconds_count"),
        errors=_slow("bowerbird_verifier_revocation_seconds", "60.0"),
        consequence="Badges pass that were revoked. Look at what BowerbirdRevocationLate says.",
        why="Until the verifier has stored it. Others may keep a copy of a list for a minute more, as its `ttl` says. "
        "A single one that is late for longer pages too (`BowerbirdRevocationLate`).",
    ),
    Slo(
        name="mail",
        alert="BowerbirdMailSlow",
        promise="A mail about a badge is offered to the mail server within an hour of the occasion",
        objective=0.99,
        events=_rate("bowerbird_notifier_offer_delay_seconds_count"),
        errors=_slow("bowerbird_notifier_offer_delay_seconds", "3600.0"),
        consequence="Learners hear late of their badges. Look at the mail server, then at the limits of mail.",
        why="Offered, not delivered: what a mail server does with it afterwards is not seen from here.",
    ),
)


def _ratio(window: str, slo: Slo) -> str:
    return f'slo:sli_error:ratio_rate{window}{{slo="{slo.name}"}}'


def _burns(slo: Slo, long: str, short: str, factor: float) -> str:
    limit = f"{factor * slo.budget:.6g}"
    counted = "1d" if long == "3d" else long
    errors = f"({slo.errors.replace('[5m]', f'[{counted}]')}) * {seconds(counted)}"
    return (
        f"({_ratio(long, slo)} > {limit} and {_ratio(short, slo)} > {limit} "
        # One failed request in a quiet night is no reason to wake anybody.
        f"and on () {errors} > {_FEWEST_ERRORS})"
    )


def _alert(slo: Slo, severity: Severity) -> Alert:
    return Alert(
        name=slo.alert,
        expression=" or ".join(_burns(slo, *each) for each in _BURNS[severity]),
        threshold=None,
        severity=severity,
        panel=f"slo-{slo.name}",
        summary="{{ $value | humanizePercentage }} of " + f"'{slo.name}' fail; {slo.budget:.2%} may",
        description=f"Promised: {slo.promise}. {slo.consequence}",
    )


WITHOUT: Final = {
    "Partners": "They read Kafka at their own pace; nothing is sent to them that could be late. What they wait for is "
    "the announcement.",
}
"""What might be expected to have an objective and has none, and why."""

SLO_ALERTS: Final = tuple(_alert(slo, severity) for slo in SLOS for severity in _BURNS)


def recording_rules(scale: float = 1) -> list[dict[str, Any]]:
    """Return the rules that record each objective's events, errors and ratios, every duration divided by `scale`."""
    rules: list[dict[str, Any]] = []
    for slo in SLOS:
        events, errors = f'slo:sli_events:rate5m{{slo="{slo.name}"}}', f'slo:sli_errors:rate5m{{slo="{slo.name}"}}'
        told = {
            "slo:sli_events:rate5m": slo.events,
            "slo:sli_errors:rate5m": f"clamp_min({slo.errors}, 0)",
            # 0/0 is no number, and a window without any event has no ratio at all.
            "slo:sli_error:ratio_rate5m": f"({errors} / {events}) >= 0",
            **{f"slo:sli_error:ratio_rate{window}": _over(errors, events, window) for window in WINDOWS},
            "slo:objective:ratio": f"vector({slo.objective})",
            "slo:current_burn_rate:ratio": f"{_ratio('5m', slo)} / {slo.budget:g}",
            "slo:period_error_budget_remaining:ratio": f"1 - ({_over(errors, events, PERIOD)}) / {slo.budget:g}",
        }
        rules += [
            {
                "record": name,
                "expr": shortened_expression(expression, scale, _SHORTEST_RANGE),
                "labels": {"slo": slo.name},
            }
            for name, expression in told.items()
        ]
    return rules


def _over(errors: str, events: str, window: str) -> str:
    return f"(sum_over_time({errors}[{window}]) / sum_over_time({events}[{window}])) >= 0"
