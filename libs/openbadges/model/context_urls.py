"""The URLs of the JSON-LD contexts that the engine writes or looks for."""

from typing import Final

CREDENTIALS_V1: Final = "https://www.w3.org/2018/credentials/v1"
CREDENTIALS_V2: Final = "https://www.w3.org/ns/credentials/v2"
DATA_INTEGRITY_V2: Final = "https://w3id.org/security/data-integrity/v2"
OPEN_BADGES_V3_0: Final = "https://purl.imsglobal.org/spec/ob/v3p0/context.json"
OPEN_BADGES_V3_0_1: Final = "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.1.json"
OPEN_BADGES_V3: Final = "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"
CLR_V2: Final = "https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json"
OPEN_BADGES_EXTENSIONS: Final = "https://purl.imsglobal.org/spec/ob/v3p0/extensions.json"
EXAMPLES_V2: Final = "https://www.w3.org/ns/credentials/examples/v2"
"""Defines every term there is; vectors and interoperability suites use it, production issuing has no use for it."""
