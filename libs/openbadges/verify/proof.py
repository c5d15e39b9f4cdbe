"""The stage `proof` and `issuer`: is it signed, and by a key of whom it names as its issuer or holder?"""

from collections.abc import Sequence

from libs.openbadges.model.findings import Finding
from libs.openbadges.verify.mechanisms import MECHANISMS, mechanism_of
from libs.openbadges.verify.run import Context


def check_proofs(contexts: Sequence[Context], purpose: str = "assertionMethod") -> list[tuple[Finding, Finding]]:
    """Check documents by the mechanism of each; see `mechanisms.SecuringMechanism.check`."""
    by_mechanism = {
        mechanism: iter(mechanism.check([one for one in contexts if mechanism_of(one.opened) is mechanism], purpose))
        for mechanism in MECHANISMS
    }
    return [next(by_mechanism[mechanism_of(one.opened)]) for one in contexts]
