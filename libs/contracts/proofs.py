"""Proofs that a service of this authority made an event: whoever can write to its topic alone makes none.

A proof is an HMAC (RFC 2104) with SHA-256 over everything else that the event says.
"""

import hmac
from hashlib import sha256
from typing import Final, TypeVar

import orjson

from libs.contracts.events import Event

LEARNER_EVENTS: Final = "learner event, authentication"
"""The label of the key that proves what the issuer service alone puts on the topic of evidence."""
SUPERSEDING: Final = "superseding evidence, authentication"
"""The label of the key that proves that the evidence service was asked for an award in the place of another."""

EventT = TypeVar("EventT", bound=Event)


class ForgedEventError(Exception):
    """An event that the service whose it is did not make: it becomes a dead letter."""


class Proofs:
    """Makes proofs under one key, and tells those that it made."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def proven(self, event: EventT) -> EventT:
        """Return an event with its proof."""
        return event.model_copy(update={"proof": self._proof(event)})

    def hold_for(self, event: Event, proof: str | None) -> bool:
        """Return whether this is the proof of exactly what an event says."""
        return proof is not None and hmac.compare_digest(proof, self._proof(event))

    def _proof(self, event: Event) -> str:
        said = {"type": event.type, **event.model_dump(mode="json", exclude={"proof"})}
        return hmac.digest(self._key, orjson.dumps(said, option=orjson.OPT_SORT_KEYS), sha256).hex()
