"""The stage `dates`: is it in force now?"""

from libs.openbadges.model import times
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.findings import Finding
from libs.openbadges.verify.mechanisms import mechanism_of
from libs.openbadges.verify.run import Context


def check_dates(context: Context) -> Finding:
    """Check validFrom and validUntil, the same under their names in VCDM 1.1, and those of the mechanism."""
    document, now = context.document, context.run.now
    try:
        for name in ("validFrom", "issuanceDate"):
            if name in document and (begins := times.read(document[name], f"/{name}")) > now:
                return Finding("fail", "not_yet_valid", f"It is valid only from {times.write(begins)}.")
        for name in ("validUntil", "expirationDate"):
            if name in document and (ends := times.read(document[name], f"/{name}")) <= now:
                return Finding("fail", "expired", f"It was valid until {times.write(ends)}.")
        mechanism_of(context.opened).check_dates(context.opened, now)
    except CredentialError as error:
        return Finding.of(error)
    return Finding("pass", "in_force", "The date lies within its validity.")
