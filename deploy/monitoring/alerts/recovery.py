"""Alerts about stores that were set back, and about what was published and is lost."""

from typing import Final

from deploy.monitoring.alert import Alert


def _first_too(counter: str, by: str) -> str:
    """Return how much a counter rose in an hour, also where a process counts before it is asked for the first time."""
    rise, now = f"sum by ({by}) (increase({counter}[1h]))", f"sum by ({by}) ({counter})"
    return f"{rise} > {{threshold}} or ({now} > {{threshold}} unless sum by ({by}) ({counter} offset 1h))"


RECOVERY: Final = (
    Alert(
        name="BowerbirdStoreWentBack",
        expression=_first_too("bowerbird_issuer_adopted_total", "topic"),
        threshold=0,
        severity="page",
        panel="adopted",
        summary="The issuer lacked {{ $value | humanize }} facts that it had published ({{ $labels.topic }})",
        description="Its database was set back to an earlier moment. What was published holds: the issuer has taken it "
        "up and goes on. Find out who restored it, and run the audit.",
    ),
    Alert(
        name="BowerbirdNotAdopted",
        expression=_first_too("bowerbird_issuer_not_adopted_total", "topic"),
        threshold=0,
        severity="page",
        panel="adopted",
        summary="{{ $value | humanize }} published facts cannot be taken up ({{ $labels.topic }})",
        description="The issuer's database lacks them, and they are sealed by another authority or at odds with it: "
        "most likely the wrong backup was restored, or the wrong secret is in place.",
    ),
    Alert(
        name="BowerbirdAdopting",
        expression="max(bowerbird_issuer_adopting) > {threshold}",
        threshold=0,
        holds="15m",
        severity="page",
        panel="adopting",
        summary="The issuer has been taking up what was published for 15 minutes, and decides nothing meanwhile",
        description="It reads what it published and its database lacks. A large installation takes its time; where "
        "the log shows no progress, something that it needs does not answer.",
    ),
    Alert(
        name="BowerbirdTopicsMadeAnew",
        expression="max(bowerbird_issuer_topics_made_anew) > {threshold}",
        threshold=0,
        severity="page",
        panel="topics-made-anew",
        summary="{{ $value | humanize }} topics are not the ones that were published on, or end before",
        description="Kafka lost them, or was restored to an earlier moment. The stores have it all: publish it again "
        "with `bowerbird republish`.",
    ),
    Alert(
        name="BowerbirdMailsHeld",
        expression="max(bowerbird_notifier_held) > {threshold}",
        threshold=0,
        holds="10m",
        severity="ticket",
        panel="mails-held",
        summary="{{ $value | humanize }} mails wait for somebody to say whether they go",
        description="The notifier's database was set back, so they may have been sent before. Nothing goes twice, and "
        "nothing goes at all, until `bowerbird deliveries release` or `discard`.",
    ),
    Alert(
        name="BowerbirdStatusListRefused",
        expression="sum(increase(bowerbird_verifier_status_lists_refused_total[1h])) > {threshold}",
        threshold=0,
        severity="page",
        panel="lists-refused",
        summary="{{ $value | humanize }} versions of status lists were refused, being lower than what is known",
        description="The issuer's store went back, or somebody else writes to the topic. The verifier keeps the higher "
        "version, so no revocation is undone.",
    ),
)
