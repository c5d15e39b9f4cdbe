"""Entries of the audit log as MongoDB holds them."""

from typing import Any

import orjson

from libs.audit.entry import Action, Cause, Entry, Recorded
from libs.common.mongo import Document


class UnreadableEntryError(ValueError):
    """What is stored is no entry that this version or an earlier one wrote."""


def document_of(recorded: Recorded) -> Document:
    """Return the entry as it is stored; `_id` is its sequence."""
    entry = recorded.entry
    return {
        "_id": recorded.sequence,
        "schema": 1,
        "at": recorded.at,
        "action": entry.action.value,
        "principal": entry.cause.principal,
        "trace": entry.cause.trace,
        "key": entry.cause.key,
        "client": entry.cause.client,
        "tenants": list(entry.tenants),
        "subject": entry.subject,
        "reason": entry.reason,
        # As text: names within it are anything at all.
        "details": orjson.dumps(entry.details, option=orjson.OPT_SORT_KEYS).decode(),
        "previous": recorded.previous,
        "hash": recorded.hash,
    }


def recorded_of(stored: Document) -> Recorded:
    """Return the entry that is stored.

    Raises:
        UnreadableEntryError: it is none; whoever can write to the collection can put anything there.
    """
    try:
        details: dict[str, Any] = orjson.loads(stored["details"])
        entry = Entry(
            action=Action(stored["action"]),
            cause=Cause(stored["principal"], stored["trace"], stored["key"], stored["client"]),
            tenants=tuple(stored["tenants"]),
            subject=stored["subject"],
            reason=stored["reason"],
            details=details,
        )
        return Recorded(entry, stored["_id"], stored["at"], stored["previous"], stored["hash"])
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableEntryError(type(error).__name__) from error


def identity_of(stored: Document) -> str:
    """Return the identity of the entry that is stored (`Recorded.identity`); its hash where it cannot be read."""
    try:
        return recorded_of(stored).identity
    except UnreadableEntryError:
        return str(stored.get("hash"))
