"""Has a credential the form that its data model, contexts, schema and dates ask for? Pass, fail or unknown each."""

from datetime import datetime
from typing import Any

from libs.openbadges.integrity.check import Finding
from libs.openbadges.integrity.suites import OFFERED, Known
from libs.openbadges.jose.claims import check_token_dates
from libs.openbadges.jsonld.contexts import CREDENTIALS_V1, CREDENTIALS_V2
from libs.openbadges.jsonld.resources import check_resources
from libs.openbadges.model import times
from libs.openbadges.model.datamodel import check_credential
from libs.openbadges.model.errors import CredentialError, LimitError, UnknownContextError
from libs.openbadges.model.records import check_record, is_record
from libs.openbadges.model.schema import is_achievement, validate_achievement, validate_record
from libs.openbadges.verify.opening import Opened


def check_envelope(document: dict[str, Any], opened: Opened) -> Finding:
    """Check what the data model asks of every credential (VCDM 2.0, section 4)."""
    if opened.token is not None and opened.token.profile == "vp+jwt":
        return Finding("fail", "not_a_credential", "It is a presentation, where a credential was expected.")
    try:
        check_credential(document)
    except CredentialError as error:
        return Finding("fail", error.code, str(error))
    if opened.picture is not None:
        where = f"baked into a {opened.picture.upper()}"
        return Finding("pass", "credential_baked", f"It is a verifiable credential, {where}.")
    if opened.token is not None:
        return Finding("pass", "credential_jwt", "It is a verifiable credential as a JSON Web Token.")
    return Finding("pass", "credential", "It is a verifiable credential in JSON.")


def without_proof(document: dict[str, Any]) -> Known | CredentialError:
    """Take the proof off and look whether the contexts define all that is left; if not, answer why."""
    try:
        return OFFERED.unsecured({key: value for key, value in document.items() if key != "proof"})
    except CredentialError as error:
        return error


def check_context(document: dict[str, Any], unsecured: Known | CredentialError) -> Finding:
    """Check that every context is carried and defines every term and type, or else they are not in what is signed."""
    if _contexts(document)[0] not in (CREDENTIALS_V1, CREDENTIALS_V2):
        return Finding("fail", "context_first", "The first context is not that of verifiable credentials.")
    if isinstance(unsecured, CredentialError):
        unknown = isinstance(unsecured, UnknownContextError | LimitError)
        return Finding("unknown" if unknown else "fail", unsecured.code, str(unsecured))
    try:
        check_resources(document)
    except CredentialError as error:
        return Finding("fail", error.code, str(error))
    return Finding("pass", "contexts_known", "All its terms have one known meaning.")


def _contexts(document: dict[str, Any]) -> list[Any]:
    """Answer the contexts as a list that has a first."""
    contexts = document.get("@context")
    return contexts if isinstance(contexts, list) and contexts else [contexts]


def check_schema(document: dict[str, Any], unsecured: Known | CredentialError) -> Finding:
    if isinstance(unsecured, LimitError):
        return Finding("unknown", unsecured.code, str(unsecured))
    if is_record(document):
        return _check_record(document)
    if not is_achievement(document):
        return Finding("pass", "schema_none", "It is no Open Badge, so their schema does not apply.")
    try:
        validate_achievement(document)
    except CredentialError as error:
        return Finding("fail", error.code, str(error))
    return Finding("pass", "schema", "It has the form of an Open Badges 3.0 credential.")


def _check_record(document: dict[str, Any]) -> Finding:
    """Check a learner record's form. Only the final CLR 2.0 data model can find it wrong, not the older schema."""
    try:
        check_record(document)
        validate_record(document)
    except CredentialError as error:
        return Finding("fail" if error.code == "model" else "unknown", error.code, str(error))
    return Finding("pass", "schema", "It has the form of a Comprehensive Learner Record 2.0.")


def check_dates(opened: Opened, now: datetime) -> Finding:
    """Check validFrom and validUntil, the same under their names in VCDM 1.1, and a JWT's own dates."""
    document = opened.document
    try:
        for name in ("validFrom", "issuanceDate"):
            if name in document and (begins := times.read(document[name], f"/{name}")) > now:
                return Finding("fail", "not_yet_valid", f"It is valid only from {times.write(begins)}.")
        for name in ("validUntil", "expirationDate"):
            if name in document and (ends := times.read(document[name], f"/{name}")) <= now:
                return Finding("fail", "expired", f"It was valid until {times.write(ends)}.")
        if opened.token is not None:
            check_token_dates(opened.token, now)
    except CredentialError as error:
        return Finding("fail", error.code, str(error))
    return Finding("pass", "in_force", "The date lies within its validity.")
