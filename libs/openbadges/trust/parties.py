"""Parties that sign: registered with an installation, listed by a registry that its operator trusts, or unknown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Standing = Literal["registered", "listed", "unknown", "undetermined"]
"""`undetermined`: somebody who might be registered or listed, which could not be looked up; see `signer.Signer`."""


@dataclass(frozen=True, slots=True)
class Suspension:
    """That a party may issue nothing for the time being; what it issued before stands.

    Attributes:
        reason: a stable code.
    """

    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Party:
    """An organisation as whoever vouches for it describes it.

    Attributes:
        id: what credentials name as their issuer: a DID or URL.
        name: what it is called.
        url: its web site, if stated.
        issuer_id: its id within the installation; None for one of a registry.
        begins: since when it is listed; None for always.
        ends: from when on it is no longer listed; None for open.
        suspension: that it is suspended now; None where it may issue, and where a registry does not say.
    """

    id: str
    name: str
    url: str | None = None
    issuer_id: str | None = None
    begins: datetime | None = None
    ends: datetime | None = None
    suspension: Suspension | None = None

    def is_listed(self, at: datetime) -> bool:
        """Return whether a moment lies within the time of the listing."""
        return (self.begins is None or self.begins <= at) and (self.ends is None or at < self.ends)


@dataclass(frozen=True, slots=True)
class Registry:
    """A list of parties that an operator trusts.

    Attributes:
        name: what the operator or the registry itself calls it.
        parties: by id; one may be listed for several periods.
        ends: from when on the list itself may not be relied on; None for open.
        signed_at: when it was signed; None where it does not say.
    """

    name: str
    parties: Mapping[str, Sequence[Party]]
    ends: datetime | None = None
    signed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KnownParties:
    """Everybody who is known for one verification.

    Attributes:
        registered: those registered here, by id.
        registries: in the operator's order; the first that lists a party is named.
        alike: registered parties by each likeness of their names (`names.likenesses`) that was asked about.
        resembled: registered parties that a stranger could be taken for, by the name that a document gives it.
        installation: the one that verifies: its DID, and its host as its name; None where it is none of ours.
        available: whether the registered parties could be looked up; where not, an unknown party may be one.
        missing: the names of registries that could not be consulted; an unknown party may be listed by one.
    """

    registered: Mapping[str, Party] = field(default_factory=dict)
    registries: Sequence[Registry] = ()
    alike: Mapping[str, Sequence[Party]] = field(default_factory=dict)
    resembled: Mapping[str, Sequence[Party]] = field(default_factory=dict)
    installation: Party | None = None
    available: bool = True
    missing: Sequence[str] = ()
