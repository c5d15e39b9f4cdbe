"""The ids of tests: those of an authority whose secret anybody can read here, and those of a running stack."""

from deploy.embedded.secrets import authority_secret_file
from deploy.embedded.stack import Stack
from libs.common.authority_secret import AuthoritySecret
from libs.contracts.events import Event
from libs.contracts.ids import Ids
from services.issuer.credentials.sealing import RecordSealing

SECRET = AuthoritySecret(bytes(range(32)))
IDS = Ids(SECRET.key)
SEALING = RecordSealing(SECRET.key)


def event_id(event: Event) -> str:
    """Return the id that this event has wherever it is published."""
    return IDS.event_id(event.type, event.natural_id)


def ids_of(stack: Stack) -> Ids:
    """Return what derives the ids of this stack's services."""
    return Ids(AuthoritySecret.load(authority_secret_file(stack.layout)).key)
