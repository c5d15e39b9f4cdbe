"""Puts recovery together: what is taken up before this service decides anything, and the marks that say from where."""

from libs.common.clock import now
from libs.common.runtime import Plumbing
from services.issuer.catalogue.publications import Publications
from services.issuer.credentials.repository import MongoCredentials
from services.issuer.credentials.sealing import RecordSealing
from services.issuer.decisions.published import MongoPublishedDecisions
from services.issuer.decisions.repository import MongoDecisions
from services.issuer.keys.adoption import KeyAdoption
from services.issuer.keys.probe import KeyEncryptionProbe
from services.issuer.recovery.adoption import Adopters, Adoption
from services.issuer.recovery.credentials import CredentialAdoption
from services.issuer.recovery.marks import Marks
from services.issuer.recovery.refilled import Refilled
from services.issuer.status.epoch import Epochs
from services.issuer.status.repository import StatusListRepository


def add_recovery(
    plumbing: Plumbing,
    *,
    probe: KeyEncryptionProbe,
    keys: KeyAdoption,
    versions: Publications,
    credentials: MongoCredentials,
    sealing: RecordSealing,
    lists: StatusListRepository,
    epochs: Epochs,
    decisions: MongoDecisions,
    published: MongoPublishedDecisions,
) -> None:
    """Register what is done before the consumers run, and what advances the marks while they do."""
    marks = Marks(plumbing.positions, plumbing.kafka, Refilled(plumbing.database))
    adopters = Adopters(
        probe=probe,
        keys=keys,
        catalogue=versions,
        credentials=CredentialAdoption(credentials, sealing, decisions.remove_texts),
        lists=lists,
        epochs=epochs,
        decisions=published,
    )
    adoption = Adoption(plumbing.kafka, plumbing.database, marks, adopters, now)
    plumbing.preparation.add("adopting", adoption.run)
    plumbing.repeat("marks", marks.advance)
