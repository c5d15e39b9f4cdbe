"""A picture of everything that was published and is kept, to hold what came back after a disaster against."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from pymongo import MongoClient

from bowerbird.registry import NAMES
from deploy.embedded.stack import Stack
from libs.audit.stored_form import identity_of
from libs.contracts import topics
from libs.contracts.cloudevents import read_event, readable_headers
from libs.contracts.events import CredentialDocument
from libs.openbadges.status.bitstring import StatusList
from tests.faults.promises import databases
from tests.topic_reading import everything_on

Part = dict[str, object]
Stored = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """What is compared of a collection.

    Attributes:
        place: DATABASE.COLLECTION.
        fields: all, where none is named; what is left out says when a process did its work.
    """

    place: str
    fields: tuple[str, ...] = ()


_KEY: Final = ("ends_at", "grant", "withdrawal")
COMPARED: Final[Mapping[str, Kind]] = {
    "credentials": Kind("issuer.credentials"),
    "decisions": Kind("issuer.decisions"),
    "evidence kept for rules": Kind("issuer.kept_evidence"),
    "requests to revoke and take down": Kind("issuer.closing_requests"),
    "issuers": Kind("issuer.issuers"),
    "achievements": Kind("issuer.achievements"),
    "organisations": Kind("issuer.organisations"),
    "organisations that evidence knows": Kind("evidence.organisations"),
    "organisations that the notifier knows": Kind("notifier.organisations"),
    "domains of mail": Kind("issuer.mail_domains"),
    "domains of mail that the notifier knows": Kind("notifier.mail_domains"),
    "signing keys": Kind("issuer.signing_keys", ("issuer_id", "state", "sealed")),
    "API keys": Kind("issuer.api_keys", _KEY),
    "API keys that evidence takes": Kind("evidence.api_keys", _KEY),
    "API keys that the notifier takes": Kind("notifier.api_keys", _KEY),
    "badges shown": Kind("verifier.documents"),
    "issuers shown": Kind("verifier.issuers"),
    "achievements shown": Kind("verifier.achievements"),
    "batches": Kind(
        "evidence.batches", ("issuer_id", "state", "received", "row", "fingerprint", "source", "format", "created_at")
    ),
    "rows": Kind("evidence.rows"),
    "rows taken in": Kind("evidence.row_blocks"),
    "warnings of rows": Kind("evidence.row_warnings"),
    "names and addresses": Kind("notifier.contacts"),
    "erasures of learners": Kind("notifier.erasures"),
    "deliveries": Kind("notifier.deliveries", ("credential_id", "occasion", "issuer_id", "learner_id")),
}
LOST: Final[Mapping[str, Kind]] = {
    "entries of audit logs": Kind("*.audit", ("action",)),
    "what was sent of the day's quotas": Kind("evidence.quotas"),
    "what was mailed of the limits": Kind("notifier.allowances"),
    "last hours in which API keys were used": Kind("issuer.api_keys", ("last_used",)),
}
"""What may be lost, as docs/runbooks/restore.md says: how much of it was is told, and is no harm."""
APART: Final = {
    **dict.fromkeys(("authority", "canary", "fence", "positions"), "what a process notes for itself"),
    **dict.fromkeys(
        ("epoch", "adoption", "refilled_topics", "published_decisions"), "what taking up what was published notes"
    ),
    "submissions": "rows until they are decided, which the topic has too",
    "waiting": "decisions tell of it",
    "withdrawal_requests": "those behind the backup are on the topic",
    "waiting_commands": "none waits at rest",
    "sweeps": "how far deciding again has come; none is left at rest",
    "status_lists": "the bits of the lists that are shown are compared, and their versions",
    "issuer_list": "signed anew",
    "issuer_lists": "signed anew",
    "authority_document": "signed anew",
    "publications": "what the catalogue's publishers note for themselves",
    "issuer_names": "made of the issuers",
    "organisation_turns": "whose turn it is at the tree, for seconds",
    "registry_copies": "lists of others, fetched anew",
    "domains": "the pace of mail to each domain, of the last minutes",
    "issuers": "the notifier's copy",
    "achievements": "the notifier's copy",
}
"""By collection, why it is not compared."""


@dataclass
class Picture:
    """By the name of each kind of thing, everything of that kind by its id."""

    parts: dict[str, Part] = field(default_factory=dict)
    given_twice: list[str] = field(default_factory=list)
    """Entries of status lists with which more than one credential was ever published."""
    texts: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By credential, the digests of all texts that were ever published of it."""
    mails: Counter[str] = field(default_factory=Counter)
    """By Message-ID, how often the mail server took it."""
    held: set[str] = field(default_factory=set)
    """Deliveries that may have been sent before a database was set back: nothing goes until somebody decides."""
    versions: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By status list, the epoch and version that anybody is answered."""
    fleeting: dict[str, dict[str, str]] = field(default_factory=dict)
    """By the name of each kind of thing that may be lost, by its id what it is."""


def take(stack: Stack, kinds: Mapping[str, Kind] = COMPARED) -> Picture:
    """Look at every store, topic and the mailbox of a stack that has come to rest; of collections only at these."""
    picture = Picture()
    with databases(stack) as client:
        every = client["issuer"]["credentials"].find
        _require_known(client)
        for name, kind in kinds.items():
            database, _, collection = kind.place.partition(".")
            form = _some(kind.fields) if kind.fields else _all
            picture.parts[name] = _by_id(client[database][collection].find(), form)
        picture.fleeting = {name: dict(_fleeting(client, kind)) for name, kind in LOST.items()}
        held = client["notifier"]["deliveries"].find({"state": "may_have_been_sent"}, {"_id": 1})
        picture.held = {str(each["_id"]) for each in held}
        lists = {each["_id"]: each for each in client["verifier"]["status_lists"].find()}
        picture.versions = {name: (each.get("epoch", 0), each["version"]) for name, each in lists.items()}
        bits = {name: _bits(each["credential"]) for name, each in lists.items()}
        picture.parts["revoked in the lists shown"] = {
            str(each["_id"]): each["status_list"] in bits and bits[each["status_list"]].get(each["status_index"])
            for each in every({}, {"status_list": 1, "status_index": 1})
        }
    given: dict[tuple[str, int], set[str]] = defaultdict(set)
    for record in asyncio.run(everything_on(stack.kafka_bootstrap, topics.CREDENTIAL_DOCUMENTS)):
        event = None if record.value is None else read_event(readable_headers(record.headers), record.value)
        if isinstance(event, CredentialDocument) and event.document is not None:
            picture.texts[str(event.credential_id)].add(sha256(event.document.encode()).hexdigest())
            status = json.loads(event.document)["credentialStatus"]
            given[status["statusListCredential"], int(status["statusListIndex"])].add(str(event.credential_id))
    picture.given_twice = [str(entry) for entry, credentials in given.items() if len(credentials) > 1]
    picture.mails = Counter(path.name.split("@")[0] for path in stack.layout.mail.glob("*.eml"))
    return picture


def _require_known(client: "MongoClient[dict[str, Any]]") -> None:
    """Fail at a collection of which nothing here says whether it is compared."""
    told = {kind.place for kind in (*COMPARED.values(), *LOST.values())}
    for database in NAMES:
        for name in client[database].list_collection_names():
            known = {f"{database}.{name}", f"*.{name}"} & told or name in APART or not client[database][name].find_one()
            assert known, f"tests/faults/picture.py does not say whether {database}.{name} is compared"


def _fleeting(client: "MongoClient[dict[str, Any]]", kind: Kind) -> Iterator[tuple[str, str]]:
    database, _, collection = kind.place.partition(".")
    for name in NAMES if database == "*" else (database,):
        for each in client[name][collection].find():
            # After a restore an entry of an audit log stands behind those of today.
            id_ = f"{name} {identity_of(each) if 'hash' in each else each['_id']}"
            yield id_, " ".join(str(each.get(field)) for field in kind.fields) if kind.fields else str(_all(each))


def lost(before: Picture, after: Picture) -> list[str]:
    """Return, by kind, how much is gone or changed of what may be lost, and of what it was."""
    lines = []
    for name, was in before.fleeting.items():
        now = after.fleeting.get(name, {})
        gone = [what for id_, what in was.items() if now.get(id_) != what]
        told = (
            ", ".join(f"{count} {what}" for what, count in Counter(gone).most_common())
            if LOST[name].fields == ("action",)
            else ""
        )
        lines.append(f"{len(gone):>9,}  {name}{': ' * bool(told)}{told}")
    return lines


def _by_id(found: Any, form: Callable[[Stored], object]) -> Part:
    return {str(each["_id"]): form(each) for each in found}


def _all(stored: Stored) -> object:
    return sha256(repr(sorted(stored.items())).encode()).hexdigest()


def _some(names: tuple[str, ...]) -> Callable[[Stored], object]:
    return lambda stored: tuple(str(stored.get(name)) for name in names)


def _bits(credential: str) -> StatusList:
    return StatusList.decode(json.loads(credential)["credentialSubject"]["encodedList"])


@dataclass(frozen=True)
class Difference:
    """What of one kind is not as it was: how many, and the ids of some."""

    kind: str
    count: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.count:>9,}  {self.kind}: {', '.join(self.examples)}"


def differences(before: Picture, after: Picture, more: Mapping[str, int]) -> list[Difference]:
    """Return everything in which the world was harmed: what is gone, changed, or given twice.

    Args:
        before: how it was.
        after: how it is.
        more: by kind, how many must be there that were not.
    """
    found = []
    for name, part in before.parts.items():
        now = after.parts.get(name, {})
        found.append((f"{name} lost", [each for each in part if each not in now]))
        found.append((f"{name} changed", [each for each, was in part.items() if each in now and now[each] != was]))
        # One that is held of what was never to be sent: of that nothing tells in a database that was set back.
        harmless = after.held if name == "deliveries" else set()
        found.append(_new(name, [each for each in now if each not in part and each not in harmless], more))
    lower = [name for name, version in before.versions.items() if after.versions.get(name, (-1, -1)) < version]
    found.append(("status lists that went back", lower))
    found.append(("entries of status lists given to two credentials", after.given_twice))
    found.append(
        ("credentials published with two texts", [name for name, each in after.texts.items() if len(each) > 1])
    )
    again = [name for name, count in after.mails.items() if count > before.mails[name] > 0]
    found.append(("mails sent again", again))
    gone = [name for name in before.mails if not after.mails[name] and name not in after.held]
    found.append(("mails that went, and go no more", gone))
    found.append(_new("mails", [name for name in after.mails if not before.mails[name]], more))
    return [Difference(kind, len(ids), tuple(sorted(ids)[:3])) for kind, ids in found if ids]


def _new(kind: str, ids: list[str], more: Mapping[str, int]) -> tuple[str, list[str]]:
    expected = more.get(kind, 0)
    if len(ids) == expected:
        return kind, []
    return f"{kind} that are new, not {expected}", ids or ["none"]
