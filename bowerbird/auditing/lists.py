"""Checks the status lists against the credentials that point to them: each is there, and says who is revoked."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple

import orjson

from bowerbird.auditing.difference import Difference, Placed
from bowerbird.auditing.reading import some_of
from libs.common.damage import Damage
from libs.common.mongo import Client, Collection, Document
from libs.common.stored import UNREADABLE, Count, DamagedFieldError, typed
from libs.openbadges.status.bitstring import StatusList
from services.issuer.credentials.credential import CredentialState
from services.issuer.status.entry import named_entry
from services.issuer.status.repository import ShownList, order_of

_FIELDS: Final = {"issuer_id": 1, "status_index": 1, "state": 1, "revoked_at": 1}


class _Entry(NamedTuple):
    """What is compared of a credential."""

    status_index: Count
    state: CredentialState
    revoked_at: datetime | None


_read_entry: Final = typed(_Entry)
_LIST_FIELDS: Final = {"purpose": 1, "epoch": 1, "version": 1, "bits": 1}


async def differences(client: Client, settled: datetime, damage: Damage) -> AsyncIterator[Difference]:
    """Yield lists that are missing, and entries that are set for nobody or not set; what changed lately is on its way.

    A list is published before an entry of it is given away, and whoever is revoked is so in the store before a list
    says it. So what is shown is read first: what a list says then, the credentials that are read after it explain.
    """
    credentials = client["issuer"]["credentials"]
    # First: what is repaired of these, the other checks find in its place.
    misplaced = list[Placed]()
    async for difference, placed in _misplaced(client):
        misplaced.append(placed)
        yield difference
    # Asked before those that are shown: a list that is begun meanwhile is missing from neither.
    pointed_to = set(await credentials.distinct("status_list"))
    published, shown = set[str](), set[str]()
    async for some in some_of(client["issuer"]["status_lists"], {"signed_at": {"$exists": True}}, {"_id": 1}):
        published.update(each["_id"] for each in some)
    fields = {"credential": 1, "epoch": 1, "version": 1}
    async for some in some_of(client["verifier"]["status_lists"], {}, fields):
        for each in some:
            shown.add(each["_id"])
            async for difference in _entries(credentials, each, misplaced, settled, damage):
                yield difference
            if (behind := await _behind(client["issuer"]["status_lists"], each, damage)) is not None:
                yield behind
    for where, lists in (("published", published), ("at the verifier", shown)):
        for status_list in sorted(pointed_to - lists, key=str):
            if await credentials.find_one({"status_list": status_list, "issued_at": {"$lt": settled}}, {"_id": 1}):
                yield Difference("lists_missing", f"{status_list}, not {where}")
    for status_list in sorted(pointed_to - shown, key=str):
        revoked_long_ago = {"status_list": status_list, "state": "revoked", "revoked_at": {"$lt": settled}}
        async for some in some_of(credentials, revoked_long_ago, {"_id": 1}):
            for each in some:
                yield Difference("revocations_not_shown", str(each["_id"]), status_list=status_list)


async def _misplaced(client: Client) -> AsyncIterator[tuple[Difference, Placed]]:
    """Yield the credentials that are stored with another entry than their signed text names, which verifiers look up.

    The text is believed, and the entry made right, where the verifier shows the very same.
    """
    fields = dict.fromkeys(("issuer_id", "status_list", "status_index", "document"), 1)
    async for some in some_of(client["issuer"]["credentials"], {"document": {"$exists": True}}, fields):
        for each in some:
            entry, stored = named_entry(each["document"]), (each.get("status_list"), each.get("status_index"))
            if entry is None or stored == (entry.list_id, entry.index):
                continue
            placed = Placed(each["_id"], str(each.get("issuer_id")), each["document"], entry)
            same = {"_id": placed.credential_id, "document": placed.document}
            shown = await client["verifier"]["documents"].find_one(same, {"_id": 1})
            yield Difference("entries_differ", str(each["_id"]), placed=None if shown is None else placed), placed


async def _entries(
    credentials: Collection, shown: Document, misplaced: Sequence[Placed], settled: datetime, damage: Damage
) -> AsyncIterator[Difference]:
    """Yield where a list that is shown, and the credentials on it, differ."""
    try:
        bits = StatusList.decode(orjson.loads(shown["credential"])["credentialSubject"]["encodedList"])
    except UNREADABLE as error:
        damage.note("verifier.status_lists", shown, error)
        return
    for placed in misplaced:
        if placed.entry.list_id == shown["_id"] and placed.entry.index < len(bits):
            bits.set(placed.entry.index, False)
    others = {"status_list": shown["_id"], **({"_id": {"$nin": [each[0] for each in misplaced]}} if misplaced else {})}
    async for some in some_of(credentials, others, _FIELDS):
        for check, credential_id in damage.readable("issuer.credentials", some, partial(_compared, bits, settled)):
            if check:
                again = shown["_id"] if check == "revocations_not_shown" else None
                yield Difference(check, str(credential_id), status_list=again)
    for index in bits.entries():
        yield Difference("revocations_without_cause", f"entry {index} of {shown['_id']}, which is no credential's")


async def _behind(lists: Collection, shown: Document, damage: Damage) -> Difference | None:
    """Return whether the issuer's own document of a list is damaged, or older than what is shown; read after that."""
    stored = await lists.find_one({"_id": shown["_id"]}, _LIST_FIELDS)
    if stored is None:
        return None
    try:
        as_shown = ShownList.of(shown["_id"], shown["epoch"], shown["version"], shown["credential"])
    except UNREADABLE as error:
        damage.note("verifier.status_lists", shown, error)
        return None
    try:
        if order_of(stored) >= as_shown.order:
            return None
    except UNREADABLE as error:
        damage.note("issuer.status_lists", stored, error)
    return Difference("lists_behind", str(shown["_id"]), shown=as_shown)


def _compared(bits: StatusList, settled: datetime, credential: Document) -> tuple[str, object]:
    """Return in what a list and one of its credentials differ, if in anything, and whose entry it explained."""
    entry = _read_entry(credential)
    revoked_at = entry.revoked_at if entry.state is CredentialState.REVOKED else None
    if entry.state is CredentialState.REVOKED and revoked_at is None:
        raise DamagedFieldError("revoked_at")
    # What is taken away here is explained; what is left in the end is of no credential.
    was_set = bits.set(entry.status_index, False)
    if was_set and revoked_at is None:
        return "revocations_without_cause", credential["_id"]
    late = not was_set and revoked_at is not None and revoked_at < settled
    return "revocations_not_shown" if late else "", credential["_id"]
