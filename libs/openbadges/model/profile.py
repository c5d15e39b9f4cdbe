"""Which documents are read and signed: those of production, or also those that conformance suites are made of."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ProcessingProfile:
    """What the engine accepts beyond what production needs.

    Attributes:
        inline_contexts: contexts written into a document are read. They could give signed statements other names
            without breaking the proof (Data Integrity 1.0, section 4.6).
        examples_context: credentials are signed that use the examples' context, which defines every term.
        older_tokens: JWTs of VCDM 1.1 in envelopes are read.
        bare_digests: a SHA-256 without the two bytes of its multihash is read.
    """

    inline_contexts: bool
    examples_context: bool
    older_tokens: bool
    bare_digests: bool


PRODUCTION: Final = ProcessingProfile(
    inline_contexts=False, examples_context=False, older_tokens=False, bare_digests=False
)
CONFORMANCE: Final = ProcessingProfile(
    inline_contexts=True, examples_context=True, older_tokens=True, bare_digests=True
)
"""For the third-party suites alone, whose documents are made so."""
