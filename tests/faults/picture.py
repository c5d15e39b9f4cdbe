"""A picture of everything that was published and is kept, to hold what came back after a disaster against."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from deploy.embedded.stack import Stack
from libs.contracts import topics
from libs.contracts.cloudevents import read_event, readable_headers
from libs.contracts.events import CredentialDocument
from libs.openbadges.status.bitstring import StatusList
from tests.faults.promises import databases
from tests.topic_reading import everything_on

Part = dict[str, object]
Stored = Mapping[str, Any]

# What says when this process did its work, or stands for a count that is made anew: not what was promised.
_ROW: Final = ("state", "reason", "credential_id", "sequence", "source_id")
_BATCH: Final = ("state", "received", "row", "source", "format")
_SIGNING: Final = ("issuer_id", "state", "sealed")
_DELIVERY: Final = ("credential_id", "occasion", "issuer_id")


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


def take(stack: Stack) -> Picture:
    """Look at every store, topic and the mailbox of a stack that has come to rest."""
    picture = Picture()
    with databases(stack) as client:
        every = client["issuer"]["credentials"].find
        picture.parts = {
            "credentials": _by_id(every(), _all),
            "decisions": _by_id(client["issuer"]["decisions"].find(), _all),
            "issuers": _by_id(client["issuer"]["issuers"].find(), _all),
            "achievements": _by_id(client["issuer"]["achievements"].find(), _all),
            "signing keys": _by_id(client["issuer"]["signing_keys"].find(), _some(_SIGNING)),
            "API keys": _by_id(client["issuer"]["api_keys"].find(), _some(("ends_at", "grant", "withdrawal"))),
            "badges shown": _by_id(client["verifier"]["documents"].find(), _all),
            "issuers shown": _by_id(client["verifier"]["issuers"].find(), _all),
            "batches": _by_id(client["evidence"]["batches"].find(), _some(_BATCH)),
            "rows": _by_id(client["evidence"]["rows"].find(), _some(_ROW)),
            "names and addresses": _by_id(client["notifier"]["contacts"].find(), _all),
            "deliveries": _by_id(client["notifier"]["deliveries"].find(), _some(_DELIVERY)),
        }
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
    found.append(_new("mails", [name for name in after.mails if not before.mails[name]], more))
    return [Difference(kind, len(ids), tuple(sorted(ids)[:3])) for kind, ids in found if ids]


def _new(kind: str, ids: list[str], more: Mapping[str, int]) -> tuple[str, list[str]]:
    expected = more.get(kind, 0)
    if len(ids) == expected:
        return kind, []
    return f"{kind} that are new, not {expected}", ids or ["none"]
