"""The step `signer`: who signed each document, which is no check of it; see `trust.signer`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from libs.openbadges.jose.claims import signed_at
from libs.openbadges.model import times
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.findings import Finding, Outcome, worst
from libs.openbadges.model.members import issuer_of, proofs_of, validity_names
from libs.openbadges.trust.names import shown_name
from libs.openbadges.trust.signer import identify
from libs.openbadges.verify.run import Context

_MOST_NAMES: Final = 8
_PROVEN: Final[Mapping[Outcome, bool | None]] = {"pass": True, "fail": False, "unknown": None}


def identify_signers(contexts: Sequence[Context]) -> Sequence[Sequence[Finding]]:
    """Give every context its signer, once proof and issuer were checked; this answers no check itself."""
    for context in contexts:
        document = context.document
        context.signer = identify(
            context.run.inputs.parties,
            issuer_of(document),
            issuer_names(document),
            proven=_PROVEN[worst(context.findings[check].outcome for check in ("proof", "issuer"))],
            issued=_issued(context),
        )
    return [()] * len(contexts)


def issuer_names(document: Mapping[str, Any]) -> list[str]:
    """Return what a credential calls its issuer in each language, as it may be shown; of many the first eight."""
    issuer = document.get("issuer")
    given = issuer.get("name") if isinstance(issuer, dict) else None
    listed = given[:_MOST_NAMES] if isinstance(given, list) else [given]
    texts = [one.get("@value") if isinstance(one, dict) else one for one in listed]
    return list(dict.fromkeys(shown for text in texts if isinstance(text, str) and (shown := shown_name(text))))


def _issued(context: Context) -> datetime | None:
    """Return when a credential was issued: the latest moment that it or a signature on it gives for that.

    All are the signer's word, so the latest decides: it is the least likely to be dated back.
    """
    document, token = context.document, context.opened.token
    values = [document.get(validity_names(document)[0]), *(proof.get("created") for proof in proofs_of(document))]
    try:
        found = [times.read_lenient(value) for value in values if value is not None]
        made = None if token is None else signed_at(token)
    except CredentialError:
        return None
    return max([*found, *([] if made is None else [made])], default=None)
