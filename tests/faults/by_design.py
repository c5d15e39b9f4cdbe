"""What may differ between an undisturbed run and one that lost a store, by field; all else that differs is harm."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatch
from typing import Any, Final

from services.issuer.decision_ids import DecisionId
from services.issuer.decisions.keys import decision_key
from tests.faults.everything import ORDER, WHOLE, Comparison, Differing


@dataclass(frozen=True)
class Loss:
    """How far things had come when a store was lost.

    Attributes:
        moment: when nothing went on any more.
        credentials: the ids of those that stand in what was not lost.
        decisions: the keys (`decision_key`) of those that stand there.
        unacknowledged: the ids of batches, pieces, learners and credentials of uploads that nobody was answered about.
    """

    moment: datetime
    credentials: frozenset[str]
    decisions: frozenset[bytes] = frozenset()
    unacknowledged: frozenset[str] = frozenset()

    def is_of_later(self, each: Differing) -> bool:
        """Return whether this is a decision or a credential, or speaks of one, that nobody had seen before the loss."""
        fields: Mapping[str, Any] = {**each.one, **each.other}
        if each.place == "issuer.decisions":
            return fields["_id"] not in self.decisions
        if each.place == "evidence.rows":
            key = decision_key(DecisionId(fields["batch_id"], fields["row"], fields["sequence"]))
            return key not in self.decisions
        named = {str(fields[name]) for name in _CREDENTIAL if name in fields}
        if each.place in _CREDENTIALS:
            named.add(each.id)
        return bool(named) and not named & self.credentials

    def is_done_later(self, each: Differing) -> bool:
        """Return whether this is an entry of an audit log of what was done after the loss, or had not been done."""
        fields = {**each.one, **each.other}
        at: Any = fields.get("details.recorded_at", fields["at"])
        signed = [str(ids).split() for name, ids in fields.items() if name.startswith("details.credential_ids.")]
        is_undone = bool(signed) and not self.credentials & {each for ids in signed for each in ids}
        return is_undone or self.moment < (datetime.fromisoformat(at) if isinstance(at, str) else at)


_CREDENTIALS: Final = ("issuer.credentials", "verifier.documents", "topic credential.documents.v1")
_CREDENTIAL: Final = ("credential_id", "value.credential_id")


@dataclass(frozen=True)
class ByDesign:
    """Fields that may differ.

    Attributes:
        places: patterns of DATABASE.COLLECTION or `topic NAME`.
        fields: patterns of fields; `WHOLE` is what only one of the two has.
        why: the reason, as the drill prints it.
        where: only where this holds.
    """

    places: tuple[str, ...]
    fields: tuple[str, ...]
    why: str
    where: Callable[[Differing, Loss], bool] = lambda _each, _loss: True

    def __str__(self) -> str:
        fields = ", ".join(each or "the whole" for each in self.fields if each != "*") or "*"
        return f"{', '.join(self.places)}: {fields}: {self.why}"

    def covers(self, each: Differing, loss: Loss) -> bool:
        """Return whether this may differ."""
        named = any(fnmatch(each.place, pattern) for pattern in self.places)
        return named and any(fnmatch(each.field, pattern) for pattern in self.fields) and self.where(each, loss)


def _later(each: Differing, loss: Loss) -> bool:
    return loss.is_of_later(each)


def _done_later(each: Differing, loss: Loss) -> bool:
    return loss.is_done_later(each)


def _is_gone(each: Differing, _loss: Loss) -> bool:
    return not each.other


def _is_new(each: Differing, _loss: Loss) -> bool:
    return not each.one


def _is_held(each: Differing, _loss: Loss) -> bool:
    return each.other.get("state") == "may_have_been_sent"


def _is_erased(each: Differing, _loss: Loss) -> bool:
    was, now = each.one.get("state"), (each.other.get("state"), each.other.get("cancel_reason"))
    return was == "sent" and now == ("cancelled", "erased")


def _is_issuer_list(each: Differing, _loss: Loss) -> bool:
    return each.id in {"issuers", "issuer-list:issuers"}


ALL: Final = (WHOLE, "*")
_LISTS: Final = ("issuer.status_lists", "verifier.status_lists", "topic status.lists.v1")
TABLE: Final[Sequence[ByDesign]] = (
    ByDesign(
        ("*",),
        (ORDER,),
        "a document that was written whole has the order of its writing, and one that was changed that of its changes",
    ),
    ByDesign(
        (*_CREDENTIALS, "issuer.decisions", "evidence.rows"),
        (
            *("decided_at", "issued_at", "*changed_at", "status_list", "status_index", "value.record", "headers.*"),
            *("*document.validFrom", "*document.credentialStatus.*", "*document.proof.*"),
        ),
        "decided after the loss, and nobody had seen it before: its time and its place in a status list are its own",
        _later,
    ),
    ByDesign(
        ("topic *",),
        ("headers.traceparent", "headers.ce_traceparent"),
        "published again, which is a span of its own",
    ),
    ByDesign(
        ("notifier.deliveries",),
        (WHOLE, "state", "cancel_reason", "attempts", "address_mark", "admitted", "*_at"),
        "held, since it may have been sent: nothing goes until somebody decides",
        _is_held,
    ),
    ByDesign(
        ("notifier.deliveries",),
        ("state", "cancel_reason", "attempts", "*_at"),
        "of a learner who was erased: it was held, since it may have been sent, and is over with the erasure",
        _is_erased,
    ),
    ByDesign(
        ("notifier.deliveries",), ("created_at", "changed_at", "trace"), "when, and by which record, the notifier heard"
    ),
    ByDesign(("notifier.deliveries",), ("sent_at", "*_attempt_at", "allowed_at"), "sent after the loss", _later),
    ByDesign(
        _LISTS,
        (
            *("next", "offset", "signed_at", "valid_until", "headers.*", "value.revoked_since"),
            *("*epoch", "*version", "*published_at", "*credential.valid*", "*credential.proof.*"),
        ),
        "signed again in a new epoch, and filled no further; whom it revokes is compared",
    ),
    ByDesign(_LISTS, (WHOLE,), "a list of the new epoch", _is_new),
    ByDesign(
        ("issuer.issuer_list", "verifier.issuer_lists", "topic catalogue.v1"),
        (
            "*version",
            "*ed_at",
            "ends_at",
            "value.ends_at",
            "*.payload.iat",
            "*.payload.exp",
            "*.signature",
            "headers.*",
        ),
        "signed again; whom it lists is compared",
        _is_issuer_list,
    ),
    ByDesign(
        ("*.audit",),
        ("_id", "at", "previous", "hash", "details", "details.recorded_a?"),
        "added again behind the entries of today, with the hash and the time that it had first",
    ),
    ByDesign(("*.audit",), (WHOLE,), "of what was done after the loss, or not done when it came", _done_later),
    ByDesign(
        ("evidence.submissions", "issuer.withdrawal_requests"),
        (WHOLE,),
        "kept until it is decided or done, for a loss of Kafka; a database that is restored has it from Kafka",
        _is_gone,
    ),
    ByDesign(
        ("evidence.submissions",),
        ("contacts", "contacts_topic"),
        "kept until the notifier has read them, or with the rows where Kafka was lost before",
    ),
    ByDesign(
        ("topic access.use.v1",),
        (WHOLE,),
        "hours that were told, and are kept with the API keys, which are compared",
        _is_gone,
    ),
    ByDesign(("topic signing.keys.v1",), ("value.copied_at", "headers.*"), "copied again; what is sealed is compared"),
    ByDesign(("*.api_keys",), ("changed_at",), "when the database learned of it"),
    ByDesign(("evidence.batches",), ("upload",), "by which process an upload came: it has ended"),
    ByDesign(("evidence.batches",), ("revision",), "how often its numbers were to be counted again"),
    ByDesign(("issuer.waiting",), ("trace",), "by which record it waits"),
    ByDesign(("issuer.publications",), ("claimed_at",), "when a process began to publish it"),
    ByDesign(("issuer.issuer_names",), ALL, "names that were reserved for a minute; whose they are says the catalogue"),
    ByDesign(("notifier.domains",), ALL, "the pace of mail to each domain, of seconds"),
    ByDesign(
        ("*.positions", "*.fence", "topic store.moments.v1"),
        ALL,
        "how far processes have come, and that their database did not go back",
    ),
    ByDesign(
        ("issuer.epoch", "issuer.adoption", "issuer.refilled_topics", "issuer.published_decisions"),
        ALL,
        "what taking up what was published notes",
    ),
)
"""In this order: the first that covers a difference is the one that it counts for."""
NOT_KEPT: Final[Sequence[ByDesign]] = (
    ByDesign(("evidence.quotas",), ALL, "what was sent of the day's quotas"),
    ByDesign(("notifier.allowances",), ALL, "what was mailed of the limits"),
)
"""What is lost with MongoDB, as docs/runbooks/restore.md says: counts that were acknowledged to nobody."""


@dataclass
class Judged:
    """What is to be thought of a comparison."""

    by_design: Counter[ByDesign] = field(default_factory=Counter)
    not_kept: Counter[ByDesign] = field(default_factory=Counter)
    unacknowledged: Counter[str] = field(default_factory=Counter)
    """By place, how many documents of uploads that nobody was answered about are not the same."""
    harm: list[Differing] = field(default_factory=list)

    def harm_lines(self) -> list[str]:
        """Return what is harm, by place and field, with an example of each."""
        found: dict[tuple[str, str], list[Differing]] = defaultdict(list)
        for each in self.harm:
            found[each.place, each.field].append(each)
        return [f"{len(some):>9,}  {some[0]}" for some in found.values()]

    def by_design_lines(self) -> list[str]:
        """Return how many fields differ by design, for each reason."""
        return [f"{self.by_design[row]:>9,}  {row}" for row in TABLE if self.by_design[row]]

    def lost_lines(self) -> list[str]:
        """Return what is lost: of what was never acknowledged, and counts."""
        unacknowledged = [f"{count:>9,}  {place}" for place, count in sorted(self.unacknowledged.items())]
        counts = [f"{self.not_kept[row]:>9,}  {row}" for row in NOT_KEPT]
        return [
            "of uploads that nobody was answered about:",
            *(unacknowledged or ["        0"]),
            "counts for limits, which were acknowledged to nobody:",
            *counts,
        ]


def judge(comparison: Comparison, loss: Loss) -> Judged:
    """Return what differs by design, what is lost that was never acknowledged, and what is harm."""
    judged, unacknowledged = Judged(), set[tuple[str, str]]()
    for each in comparison.differing:
        if (row := _row(TABLE, each, loss)) is not None:
            judged.by_design[row] += 1
        elif (row := _row(NOT_KEPT, each, loss)) is not None:
            judged.not_kept[row] += 1
        elif each.mentioned & loss.unacknowledged:
            unacknowledged.add((each.place, each.id))
        else:
            judged.harm.append(each)
    judged.unacknowledged = Counter(place for place, _ in unacknowledged)
    return judged


def _row(table: Sequence[ByDesign], each: Differing, loss: Loss) -> ByDesign | None:
    return next((row for row in table if row.covers(each, loss)), None)
