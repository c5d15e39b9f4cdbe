"""With the code and all that partners and the public see, but without the secret, no id is computed or confirmed."""

import hashlib
import hmac
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import NAMESPACE_DNS, NAMESPACE_URL, UUID, uuid5

import pytest

from libs.common.authority_secret import AuthoritySecret
from libs.contracts.cloudevents import Origin, Outgoing, encode
from libs.contracts.events import EVENTS, CredentialDocument, CredentialIssued, CredentialRevoked
from libs.contracts.ids import Ids, submission_id
from libs.contracts.reasons import RevocationReason
from libs.contracts.results import SoloLevel
from libs.openbadges.crypto.keys import Ed25519Key
from libs.openbadges.status.bitstring import MINIMUM_SIZE, StatusIndexes
from services.issuer.credentials.announcements import Announcer
from services.issuer.credentials.credential import Revocation
from services.issuer.credentials.signer import CredentialSigner
from services.issuer.decisions.worker import Awarding
from services.issuer.status.entry import StatusEntry
from services.issuer.urls import Urls
from tests.ids import IDS, SEALING, SECRET
from tests.issuer_doubles import (
    NOW,
    TRACE,
    MemoryAudit,
    MemoryCatalogue,
    MemoryDecisions,
    achievement,
    evidence,
    history,
    issuer,
    received,
    superseding_of,
)

BASE = "https://badges.example"
LEARNERS = ("1001", "1002", "1003")
ACHIEVEMENTS = ("resilience", "care")
LEVELS = (SoloLevel.MULTISTRUCTURAL, SoloLevel.RELATIONAL)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_KEY = Ed25519Key.from_seed(bytes(32))


class OneKey:
    async def key(self, issuer_id: str) -> Ed25519Key:
        return _KEY

    async def refresh(self, issuer_ids: Iterable[str]) -> None:
        """Its key never changes."""


class PermutedEntries:
    """Entries of one list, as the real lists give them."""

    def __init__(self) -> None:
        self._indexes, self._next = StatusIndexes(bytes(range(32, 64)), MINIMUM_SIZE), 0

    async def allocate(self, count: int) -> list[StatusEntry]:
        first, self._next = self._next, self._next + count
        return [StatusEntry("1790000000-1", self._indexes.index(each)) for each in range(first, first + count)]


@dataclass(frozen=True)
class Seen:
    """What goes outside about each credential (records, the signed document, a mail's id), and whose it is."""

    texts: dict[UUID, list[str]]
    owners: dict[UUID, str]

    @property
    def ids(self) -> set[UUID]:
        return {each for texts in self.texts.values() for text in texts for each in ids_in(text)}

    def values_of(self, credential: UUID) -> set[str]:
        """Every value that stands in what goes outside about this credential: words, ids and numbers."""
        return set(re.findall(r"[\w-]+(?:[./:+=][\w-]+)*", "\n".join(self.texts[credential])))


def ids_in(text: str) -> set[UUID]:
    return {UUID(found) for found in _UUID.findall(text)}


async def one_run(*, linked: bool = False) -> Seen:
    """Award each achievement at two levels to each learner, and revoke one award; return what goes outside."""
    published: list[Outgoing] = []

    async def publish(outgoing: Sequence[Outgoing]) -> None:
        published.extend(outgoing)

    store, announcer = MemoryDecisions(), Announcer(Urls(BASE), SEALING, IDS.learner_pseudonym if linked else None)
    catalogue = MemoryCatalogue([issuer()], [achievement("resilience"), achievement("care", repeatable=True)])
    awarding = Awarding(
        ids=IDS,
        decisions=store,
        history=history(store),
        credentials=store.credentials,
        catalogue=catalogue,
        signer=CredentialSigner(OneKey(), Urls(BASE), IDS),
        entries=PermutedEntries(),
        announcer=announcer,
        superseding=superseding_of(store, announcer),
        audit=MemoryAudit(),
        publish=publish,
        clock=lambda: NOW,
        longest_wait=timedelta(hours=1),
        longest_suspended=timedelta(days=1),
    )
    pieces = itertools.product(LEARNERS, ACHIEVEMENTS, LEVELS)
    batch = [
        evidence(row, level, learner=learner, achievement=of, source_id=f"{learner}-{of}-{level.value}")
        for row, (learner, of, level) in enumerate(pieces, 1)
    ]
    await awarding.handle(received(batch))
    credentials = store.credentials.stored
    revocation = Revocation(NOW, RevocationReason.ISSUED_IN_ERROR)
    revoked = replace(next(iter(credentials.values())), revocation=revocation)
    published += announcer.of_closing(revoked, TRACE)
    local = {IDS.learner_id("wattle", each): each for each in LEARNERS}
    texts = {each: [f"{IDS.delivery_id(each, 'issued')}@bowerbird.example"] for each in credentials}
    for credential, text in map(seen_outside, filter(None, map(_public, published))):
        texts[credential].append(text)
    return Seen(texts, {each.credential_id: local[each.learner_id] for each in credentials.values()})


def seen_outside(outgoing: Outgoing) -> tuple[UUID, str]:
    """Return what partners read of an event about a credential, or the document that anybody reads."""
    if isinstance(outgoing.event, CredentialDocument):
        return outgoing.event.credential_id, outgoing.event.document or ""
    record = encode(outgoing, Origin(BASE, "issuer", IDS.event_id))
    headers = "\n".join(f"{name}: {value.decode()}" for name, value in record.headers)
    return UUID(record.key.decode()), f"{headers}\n{record.value.decode()}"


def _public(outgoing: Outgoing) -> Outgoing | None:
    public = isinstance(outgoing.event, CredentialDocument) or outgoing.event.destination.for_partners
    return outgoing if public else None


def derivations(ids: Ids, seen: set[UUID]) -> Iterator[UUID]:
    """Every id that this code derives under these keys of what is public or guessed, and of what is seen."""
    types = [each.type for each in (CredentialIssued, CredentialRevoked)]
    awards = itertools.product(LEARNERS, ACHIEVEMENTS, LEVELS)
    sources = [f"{learner}-{of}-{level.value}" for learner, of, level in awards]
    learners = {ids.learner_id("wattle", each) for each in LEARNERS} | seen
    pieces = [None, *(ids.evidence_id("wattle", "file", each) for each in sources)]
    batches = {ids.batch_id("wattle", key) for key in ("", "1", "values-week")} | seen
    yield from learners
    yield from filter(None, pieces)
    yield from (submission_id(batch, row) for batch in batches for row in range(1, 20))
    yield from (ids.assessor_id("wattle", name) for name in ("T. Eacher", *LEARNERS))
    credentials = set(seen)
    for learner in learners:
        yield ids.learner_pseudonym(learner)
        for of in ACHIEVEMENTS:
            yield ids.holding_id(learner, f"wattle/{of}")
            for level, piece, number in itertools.product([*LEVELS, None], pieces, range(2)):
                credentials.add(ids.credential_id(learner, f"wattle/{of}", level, evidence=piece, number=number))
    yield from credentials
    yield from (ids.subject_id(learner, each) for learner in learners for each in seen)
    yield from (ids.delivery_id(each, "issued") for each in credentials)
    yield from (
        UUID(ids.event_id(of, natural))
        for each in credentials
        for of in types
        for natural in (str(each), f"{each}/revoked")
    )


def hashes(texts: Sequence[str]) -> Iterator[bytes]:
    """Hashes of each value, and of each two of them joined or one keyed by the other."""
    singles = [text.encode() for text in texts]
    marks = (b"", b"\n", b"/", b":")
    pairs = [one + mark + other for one, other in itertools.permutations(singles, 2) for mark in marks]
    for content in [*singles, *pairs]:
        yield hashlib.md5(content).digest()  # noqa: S324  # what an attacker would try
        yield hashlib.sha1(content).digest()  # noqa: S324  # likewise
        yield hashlib.sha256(content).digest()
        yield from (uuid5(namespace, content.decode()).bytes for namespace in _NAMESPACES)
    for key, content in itertools.permutations(singles, 2):
        yield hmac.digest(key, content, "sha256")


_NAMESPACES = (NAMESPACE_DNS, NAMESPACE_URL)
_FREE_BITS = ~(0xF000 << 64 | 0xC000 << 48)


def unmarked(content: bytes) -> int:
    """Return what an id says beside its version and variant."""
    return int.from_bytes(content[:16], "big") & _FREE_BITS


GUESSED_KEYS: dict[str, Callable[[str], bytes]] = {
    "no key": lambda _: b"",
    "zeros": lambda _: bytes(32),
    "the label": str.encode,
    "a secret of zeros": AuthoritySecret(bytes(32)).key,
    "an empty secret": AuthoritySecret(b"").key,
    "the secret's id": AuthoritySecret(bytes.fromhex(SECRET.id)).key,
}


async def test_the_tries_find_ids_where_the_secret_is_known() -> None:
    seen = await one_run()
    learners = {IDS.learner_id("wattle", each) for each in LEARNERS}
    assert seen.ids - subjects_of(seen) <= set(derivations(IDS, set()))
    assert seen.ids <= set(derivations(IDS, learners | seen.ids))


def subjects_of(seen: Seen) -> set[UUID]:
    documents = [text for texts in seen.texts.values() for text in texts]
    return {UUID(each) for text in documents for each in re.findall(r"urn:uuid:([0-9a-f-]{36})", text)}


@pytest.mark.parametrize("key", GUESSED_KEYS)
async def test_no_key_that_can_be_guessed_gives_an_id_that_is_seen(key: str) -> None:
    seen = await one_run(linked=True)
    # What is put in is no find.
    rows = {submission_id(each, row) for each in seen.ids for row in range(1, 20)}
    found = set(derivations(Ids(GUESSED_KEYS[key]), seen.ids)) - seen.ids - rows
    inner = {IDS.learner_id("wattle", each) for each in LEARNERS} | {
        IDS.holding_id(IDS.learner_id("wattle", each), f"wattle/{of}") for each in LEARNERS for of in ACHIEVEMENTS
    }
    assert not {unmarked(each.bytes) for each in found} & {unmarked(each.bytes) for each in seen.ids | inner}


async def test_no_hash_of_what_is_seen_is_an_id_that_is_seen() -> None:
    seen = await one_run(linked=True)
    some = list(seen.texts)[:3]
    ids = {each for one in some for text in seen.texts[one] for each in ids_in(text)}
    known = ["wattle", "resilience", "care", "wattle/resilience", "relational", "multistructural", "issued", *LEARNERS]
    texts = [*map(str, ids), *known, *(event.type for event in EVENTS)]
    assert len(ids) >= 4 * len(some)
    assert not {unmarked(each) for each in hashes(texts)} & {unmarked(each.bytes) for each in seen.ids}


async def test_two_credentials_of_one_learner_share_nothing_that_others_do_not_have() -> None:
    seen = await one_run()
    for one, other in itertools.combinations(seen.texts, 2):
        owner = seen.owners[one]
        if owner == seen.owners[other]:
            of_others = set[str]().union(*(seen.values_of(each) for each in seen.texts if seen.owners[each] != owner))
            assert seen.values_of(one) & seen.values_of(other) <= of_others


async def test_no_two_ids_have_a_stretch_in_common() -> None:
    """Six bytes, at any place: of some 50 ids two random ones do so once in 10^10 runs."""
    seen = await one_run()
    stretches = Counter(each.bytes[start : start + 6] for each in seen.ids for start in (0, 8, 9, 10))
    assert max(stretches.values()) == 1


async def test_what_partners_and_the_public_see_names_no_learner_and_no_upload() -> None:
    seen = await one_run()
    hidden = {TRACE.split("-")[1], "learner", "traceparent"}
    hidden |= {str(IDS.learner_id("wattle", each)) for each in LEARNERS}
    for texts in seen.texts.values():
        assert not [each for each in hidden for text in texts if each in text]


async def test_where_partners_may_link_learners_a_pseudonym_stands_in_their_events_and_nowhere_else() -> None:
    seen = await one_run(linked=True)
    for credential, texts in seen.texts.items():
        pseudonym = IDS.learner_pseudonym(IDS.learner_id("wattle", seen.owners[credential]))
        holding = [text for text in texts if str(pseudonym) in text]
        assert holding
        assert all("ce_type: org.bowerbirdbadges.credential." in text for text in holding)
    assert len({IDS.learner_pseudonym(IDS.learner_id("wattle", each)) for each in LEARNERS} & seen.ids) == len(LEARNERS)
