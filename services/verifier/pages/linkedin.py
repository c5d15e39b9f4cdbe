"""LinkedIn's form for a certificate, filled in from a badge: an address with the fields in it, and nothing sent."""

from dataclasses import dataclass
from datetime import tzinfo
from urllib.parse import urlencode

from services.verifier.pages.badge import Badge, in_zone

_FORM = "https://www.linkedin.com/profile/add"


@dataclass(frozen=True, slots=True)
class LinkedInForm:
    """The address that opens the form, and its fields in words, for where LinkedIn does not fill them in."""

    link: str
    fields: tuple[tuple[str, str], ...]


def linkedin_form(badge: Badge, address: str, zone: tzinfo) -> LinkedInForm:
    """Fill in the form.

    Args:
        badge: what the page shows; the learner is not named.
        address: the page's URL.
        zone: in which the issuer tells its days.
    """
    name = f"{badge.title} ({badge.achieved.name})" if badge.achieved else badge.title
    fields = [("Name", name), ("Issuing organization", badge.issuer)]
    # Its number on LinkedIn gives its logo and a link; of both, LinkedIn would have to choose.
    by = {"organizationName": badge.issuer} if badge.linkedin_id is None else {"organizationId": badge.linkedin_id}
    query = {"startTask": "CERTIFICATION_NAME", "name": name, **by}
    for words, key, moment in (
        ("Issue date", "issue", badge.earned or badge.issued),
        ("Expiration date", "expiration", badge.ends),
    ):
        if moment is not None:
            day = in_zone(moment, zone)
            query |= {f"{key}Year": str(day.year), f"{key}Month": str(day.month)}
            fields.append((words, f"{day:%B %Y}"))
    certificate = address.rpartition("/")[2]
    query |= {"certUrl": address, "certId": certificate}
    fields += [("Credential ID", certificate), ("Credential URL", address)]
    return LinkedInForm(f"{_FORM}?{urlencode(query)}", tuple(fields))
