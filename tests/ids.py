"""The ids and commands of tests: those of an authority whose secret anybody can read here, and of a running stack."""

from datetime import datetime
from uuid import UUID, uuid4

from deploy.embedded.secrets import authority_secret_file
from deploy.embedded.stack import Stack
from libs.common.authority_secret import AuthoritySecret
from libs.contracts.events import Event
from libs.contracts.ids import Ids
from libs.contracts.proofs import LEARNER_EVENTS, SUPERSEDING, Proofs
from services.issuer.credentials.commands import Commands
from services.issuer.credentials.requests import ClosingRequest, RequestKind
from services.issuer.credentials.sealing import RecordSealing
from services.issuer.credentials.waiting_commands import Command

SECRET = AuthoritySecret(bytes(range(32)))
IDS = Ids(SECRET.key)
SEALING = RecordSealing(SECRET.key)
COMMANDS = Commands(SECRET.key)
PROOFS = Proofs(SECRET.key(LEARNER_EVENTS))
SUPERSEDING_PROOFS = Proofs(SECRET.key(SUPERSEDING))


def event_id(event: Event) -> str:
    """Return the id that this event has wherever it is published."""
    return IDS.event_id(event.type, event.natural_id)


def ids_of(stack: Stack) -> Ids:
    """Return what derives the ids of this stack's services."""
    return Ids(AuthoritySecret.load(authority_secret_file(stack.layout)).key)


def commands_of(stack: Stack) -> Commands:
    """Return what makes the commands of this stack's issuer service."""
    return Commands(AuthoritySecret.load(authority_secret_file(stack.layout)).key)


def revocation(commands: Commands, credential_id: UUID, issuer_id: str, at: datetime) -> Command:
    """Return a command to revoke this credential, as the issuer service makes it."""
    principal, reason = "administrator:test", "wrong_learner"
    return commands.of(
        ClosingRequest(uuid4(), issuer_id, credential_id, RequestKind.REVOKE, principal, None, reason, None, at)
    )
