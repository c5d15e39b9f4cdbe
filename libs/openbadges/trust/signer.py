"""Who signed, apart from whether the proof is good: a registered party, a listed one, or an unknown one."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from libs.openbadges.model import times
from libs.openbadges.trust.names import names_installation, whole_likenesses
from libs.openbadges.trust.parties import KnownParties, Party, Standing

_QUOTES: Final = frozenset('"″‶〃＂„‟〝〞〟ˮ')  # noqa: RUF001  # those that are no quotation marks to Unicode, too


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed a credential.

    Attributes:
        standing: `registered` here, `listed` by a registry that the operator trusts at the time of issue, `unknown`; or
            `undetermined`, where it could not be looked up which of them it is.
        proven: whether it is proven that the party signed; without that it is neither registered nor listed.
        id: whom the credential names as its issuer.
        did: whose key signed, where that is proven.
        name: what the credential calls its issuer; anybody can write anything there. Of names in several languages the
            first that looks like another party's, else the first.
        party: the party's own record, where it is registered or listed.
        registry: which registry lists it.
        resembles: registered parties whose name looks like the one in the credential, or like that of the party, and
            who did not sign it; of an unknown party also the installation itself.
        looked_up: whether registered parties could be looked up; where not, an unknown party may be one.
        missing: the names of registries that could not be consulted; an unknown party may be listed by one.
    """

    standing: Standing
    proven: bool
    id: str | None
    did: str | None
    name: str | None
    party: Party | None
    registry: str | None
    resembles: tuple[Party, ...]
    looked_up: bool
    missing: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """All this in words that can follow 'Signed by'."""
        name, party = self.name, self.party
        if not self.proven:
            whom = "nobody who could be proven"
            if self.standing == "undetermined":
                whom = "somebody who could not be looked up"
            return f"{whom}; it names {_quoted(name, self.id)} as its issuer"
        if party is not None:
            where = "registered here" if self.registry is None else f"listed by {self.registry} when it was issued"
            other = f"; the credential calls it {_quoted(name, None)}" if name not in (None, party.name) else ""
            since = "" if party.suspension is None else f", suspended since {party.suspension.since:%Y-%m-%d}"
            return f"{party.name}, {where}{since}{other}{self._unlike}"
        calls = f"calls itself {_quoted(name, None)}" if name else f"gives no name ({self.id})"
        if self.standing == "undetermined":
            places = [] if self.looked_up else ["registered here"]
            places += [f"listed by {each}" for each in self.missing]
            return f"a party that {calls}; whether it is {' or '.join(places)} could not be looked up"
        return f"an unknown party that {calls}{self._unlike}"

    @property
    def _unlike(self) -> str:
        if not self.resembles:
            return ""
        other = self.resembles[0]
        again = "another " if self.party is not None and self.party.name == other.name else ""
        if other.issuer_id is None:
            return f"; {other.name}, where badges are registered, did not sign it"
        return f"; {again}{other.name}, which is registered here{'' if self.party is None else ' too'}, did not sign it"

    def to_dict(self) -> dict[str, Any]:
        """Write it as JSON has it."""
        party = self.party
        return {
            "standing": self.standing,
            "proven": self.proven,
            "id": self.id,
            "did": self.did,
            "name": self.name,
            "organisation": None if party is None else _organisation(party),
            "registry": self.registry,
            "resembles": [{"id": one.issuer_id, "did": one.id, "name": one.name} for one in self.resembles],
            "message": self.message,
        }


def identify(
    parties: KnownParties,
    identifier: str | None,
    names: Sequence[str],
    *,
    proven: bool | None,
    issued: datetime | None,
) -> Signer:
    """Return who signed a credential.

    Args:
        parties: who is known.
        identifier: whom the credential names as its issuer.
        names: what it calls that, in each language: a wallet shows the one that its reader reads.
        proven: whether its proof is good and its key that issuer's; None where that could not be decided.
        issued: when it was issued, as far as that can be told; a listing must have been in force then.
    """
    party, registry = _party(parties, identifier, issued) if proven and identifier else (None, None)
    standing: Standing = "registered" if registry is None else "listed"
    if party is None:
        not_asked = not parties.available or (proven and parties.missing)
        standing = "undetermined" if not_asked and proven is not False else "unknown"
    called: Sequence[str | None] = names or [None]
    found = [(name, _resembled(parties, name, party, identifier)) for name in called]
    return Signer(
        standing,
        bool(proven),
        identifier,
        identifier if proven and identifier is not None and identifier.startswith("did:") else None,
        next((name for name, resembled in found if resembled), found[0][0]),
        party,
        registry,
        tuple({one.id: one for _, resembled in found for one in resembled}.values()),
        parties.available,
        tuple(parties.missing),
    )


def _party(parties: KnownParties, identifier: str, issued: datetime | None) -> tuple[Party | None, str | None]:
    registered = parties.registered.get(identifier)
    if registered is not None:
        return registered, None
    for registry in parties.registries:
        for listed in registry.parties.get(identifier, ()):
            if issued is not None and listed.is_listed(issued):
                return listed, registry.name
    return None, None


def _resembled(
    parties: KnownParties, name: str | None, party: Party | None, identifier: str | None
) -> tuple[Party, ...]:
    """Return whom the signer could be taken for.

    A name that holds that of a registered party, or is a part of it, resembles it, but where its bearer is registered
    or listed too: schools share words.
    """
    if party is None:
        alike = parties.resembled.get(name or "", ())
    else:
        looked = whole_likenesses(party.name) | whole_likenesses(name or "")
        alike = [one for each in sorted(looked) for one in parties.alike.get(each, ())]
    found = {one.id: one for one in alike if one.id != identifier}
    host = parties.installation
    if host is not None and party is None and name is not None and names_installation(name, host.name):
        found.setdefault(host.id, host)
    return tuple(found.values())


def _organisation(party: Party) -> dict[str, Any]:
    held = party.suspension
    return {
        "id": party.issuer_id,
        "did": party.id,
        "name": party.name,
        "url": party.url,
        "suspension": None if held is None else {"since": times.write(held.since), "reason": held.reason},
    }


def _quoted(name: str | None, otherwise: str | None) -> str:
    """Return a name in quotation marks, of which it holds none itself: it cannot seem to end before its end."""
    if not name:
        return otherwise or "nobody"
    inner = "".join("'" if one in _QUOTES or unicodedata.category(one) in {"Pi", "Pf"} else one for one in name)
    return f'"{inner}"'
