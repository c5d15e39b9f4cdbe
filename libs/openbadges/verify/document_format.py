"""The stage `format`: is it a verifiable credential as the data model has it (VCDM 2.0, section 4)?"""

from libs.openbadges.model.datamodel import check_credential
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.findings import Finding
from libs.openbadges.verify.run import Context


def check_format(context: Context) -> Finding:
    """Check what the data model asks of every credential, and say in which form it came."""
    opened = context.opened
    if opened.token is not None and opened.token.profile == "vp+jwt":
        return Finding("fail", "not_a_credential", "It is a presentation, where a credential was expected.")
    try:
        check_credential(opened.document)
    except CredentialError as error:
        return Finding.of(error)
    if opened.container == "pdf":
        said = "It is a verifiable credential, attached to a PDF whose pages were not checked."
        return Finding("pass", "credential_attached", said)
    if opened.container is not None:
        where = f"baked into a {opened.container.upper()}"
        return Finding("pass", "credential_baked", f"It is a verifiable credential, {where}.")
    if opened.token is not None:
        return Finding("pass", "credential_jwt", "It is a verifiable credential as a JSON Web Token.")
    return Finding("pass", "credential", "It is a verifiable credential in JSON.")
