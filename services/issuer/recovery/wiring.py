"""Puts recovery together: what is taken up before this service decides anything, and the marks that say from where."""

from libs.common.arrivals import Arrivals
from libs.common.clock import now
from libs.common.runtime import Plumbing
from services.issuer.catalogue.publications import Publications
from services.issuer.catalogue.repository import Catalogue
from services.issuer.credentials.repository import MongoCredentials
from services.issuer.credentials.sealing import RecordSealing
from services.issuer.decisions.published import MongoPublishedDecisions
from services.issuer.decisions.repository import MongoDecisions
from services.issuer.keys.adoption import KeyAdoption
from services.issuer.recovery.adoption import Adopters, Adoption
from services.issuer.recovery.marks import Marks


def add_recovery(
    plumbing: Plumbing,
    *,
    keys: KeyAdoption,
    known: Catalogue,
    credentials: MongoCredentials,
    sealing: RecordSealing,
    decisions: MongoDecisions,
    published: MongoPublishedDecisions,
) -> None:
    """Register what is done before the consumers run, and what advances the marks while they do."""
    marks = Marks(plumbing.positions, plumbing.kafka)
    versions = Publications(
        plumbing.database,
        catalogue=known,
        audit=plumbing.audit,
        arrivals=Arrivals(),
        publish=plumbing.kafka.publish,
        clock=now,
    )
    adopters = Adopters(
        keys=keys,
        catalogue=versions,
        credentials=credentials,
        remove_evidence_texts=decisions.remove_texts,
        sealing=sealing,
        decisions=published,
    )
    adoption = Adoption(plumbing.kafka, plumbing.database, marks, adopters, now)
    plumbing.preparation.add("adopting", adoption.run)
    plumbing.repeat("marks", marks.advance)
