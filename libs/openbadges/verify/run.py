"""A run of verification, the context of one document in it, which every stage is given, and what a stage is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from libs.openbadges.jsonld.templates.canonical_document import CanonicalDocument
from libs.openbadges.model.endorsements import EndorsementEntry
from libs.openbadges.model.errors import CredentialError
from libs.openbadges.model.findings import Finding
from libs.openbadges.model.profile import ProcessingProfile
from libs.openbadges.status.check import VerifiedStatusLists
from libs.openbadges.trust.parties import KnownParties
from libs.openbadges.trust.publications import Publications
from libs.openbadges.trust.signer import Signer
from libs.openbadges.verify.opening import Opened
from libs.openbadges.verify.report import Endorsement, Report, checks_of, unreadable

Answers = Mapping[str, str | bytes | dict[str, Any]]
"""What was found at URLs, as text or parsed."""


@dataclass(frozen=True, slots=True)
class ResolvedInputs:
    """What was looked up for a verification; what is missing here makes a check unknown, never failed.

    Attributes:
        did_documents: by DID (or the URL of a controller document). A did:key needs none.
        status_lists: signed status list credentials, by their URL.
        refreshed: what refresh services returned, by their URL. Without it the credential is verified as it was given.
        parties: who is known; decides who signed, and no check.
        publications: what was published under the ids of an installation; None compares with nothing.
    """

    did_documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    status_lists: Answers = field(default_factory=dict)
    refreshed: Answers = field(default_factory=dict)
    parties: KnownParties = field(default_factory=KnownParties)
    publications: Publications | None = None


@dataclass(slots=True)
class EndorsementBudget:
    """How many endorsements may still be verified for a document, those in the credentials within it included."""

    left: int


@dataclass(slots=True)
class Context:
    """One document on its way through the stages.

    Attributes:
        opened: the document; a refreshed version takes its place.
        run: the verification that it is part of.
        budget: of the document that was handed in.
        entry: for an endorsement, where it stands.
        canonical: the document without its proof, or why it has no canonical form; set by the first stage.
        findings: by the names of checks, in the order of the stages.
        embedded: reports on the credentials in it.
        endorsements: reports on the endorsements on it.
        signer: who signed it, once that was looked at.
    """

    opened: Opened
    run: "Run"
    budget: EndorsementBudget
    entry: EndorsementEntry | None = None
    canonical: CanonicalDocument | CredentialError = field(init=False)
    findings: dict[str, Finding] = field(default_factory=dict)
    embedded: tuple[Report, ...] = ()
    endorsements: tuple[Endorsement, ...] = ()
    signer: Signer | None = None

    @property
    def document(self) -> dict[str, Any]:
        """The credential or presentation as it was read."""
        return self.opened.document


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of verification, taken for all documents of a batch before the next.

    Attributes:
        checks: the checks that it answers; none for a step that prepares others.
        run: from documents to a finding per check, in the order of both.
    """

    checks: tuple[str, ...]
    run: Callable[[Sequence[Context]], Sequence[Sequence[Finding]]]


def per_document(name: str, check: Callable[[Context], Finding]) -> Stage:
    """Make a stage of a check that looks at one document at a time."""
    return Stage((name,), lambda contexts: [(check(one),) for one in contexts])


def run_stages(stages: Sequence[Stage], contexts: Sequence[Context]) -> None:
    """Put documents through stages, each step for all of them, since a step's code in the processor's cache is fast."""
    for stage in stages:
        for context, findings in zip(contexts, stage.run(contexts), strict=True):
            context.findings.update(zip(stage.checks, findings, strict=True))


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The stages for each kind of document, and how a status list is verified.

    Attributes:
        proving: what a document says and who signed that; a refreshed version must pass all of these.
        credential: all stages of a credential, also of one in a learner record.
        endorsement: those of an endorsement.
        status_list: from a URL to the status list credential, proven and in force; raises CredentialError.
        revocation_list: from a URL to the revocation list there, which carries no proof; raises CredentialError.
    """

    proving: tuple[Stage, ...]
    credential: tuple[Stage, ...]
    endorsement: tuple[Stage, ...]
    status_list: Callable[[str, "Run"], dict[str, Any]]
    revocation_list: Callable[[str, "Run"], dict[str, Any]]


@dataclass(frozen=True)
class Run:
    """One verification: what all its documents share, and the way back into the pipeline for what stands in them.

    Attributes:
        inputs: what was looked up.
        now: the moment to judge dates by, with a zone.
        profile: which documents are read.
        pipeline: the stages.
        status_lists: the status lists of the run, each verified once.
    """

    inputs: ResolvedInputs
    now: datetime
    profile: ProcessingProfile
    pipeline: Pipeline
    status_lists: VerifiedStatusLists = field(init=False)

    def __post_init__(self) -> None:
        """Give it its own status lists."""
        prove, read = self.pipeline.status_list, self.pipeline.revocation_list
        lists = VerifiedStatusLists(lambda url: prove(url, self), lambda url: read(url, self))
        object.__setattr__(self, "status_lists", lists)

    def prove(self, contexts: Sequence[Context]) -> None:
        """Put documents through the stages that tell what they say and who signed that."""
        run_stages(self.pipeline.proving, contexts)

    def verify_embedded(self, opened: Sequence[Opened | CredentialError], within: Context) -> list[Report]:
        """Verify the credentials in a learner record, on the record's budget."""
        return self.reports([self.context(one, within.budget) for one in opened], self.pipeline.credential)

    def verify_endorsements(
        self, entries: Sequence[tuple[EndorsementEntry, Opened | CredentialError]], within: Context
    ) -> list[Report]:
        """Verify the endorsements on a credential."""
        contexts = [self.context(opened, within.budget, entry) for entry, opened in entries]
        return self.reports(contexts, self.pipeline.endorsement)

    def context(
        self, opened: Opened | CredentialError, budget: EndorsementBudget, entry: EndorsementEntry | None = None
    ) -> Context | CredentialError:
        """Return the context of a document; why it could not be read stays as it is."""
        return opened if isinstance(opened, CredentialError) else Context(opened, self, budget, entry)

    def reports(self, contexts: Sequence[Context | CredentialError], stages: Sequence[Stage]) -> list[Report]:
        """Put those that could be read through stages, and report on all."""
        run_stages(stages, [one for one in contexts if isinstance(one, Context)])
        names = [name for stage in stages for name in stage.checks]
        return [
            Report(unreadable(one, self.now, names), None)
            if isinstance(one, CredentialError)
            else Report(checks_of(one.findings, self.now), one.document, one.embedded, one.endorsements, one.signer)
            for one in contexts
        ]
