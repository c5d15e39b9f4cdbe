"""The public URLs of credentials, status lists and achievements, and the DIDs of issuers."""

from uuid import UUID

from libs.contracts.events import AchievementPublished
from libs.contracts.uuid_text import uuid_text
from libs.openbadges.crypto import did
from libs.openbadges.issue.achievements import achievement_address


class Urls:
    """The public URLs of what this service issues: all under the verifier's base URL."""

    def __init__(self, public_base: str) -> None:
        self.base = public_base

    def credential(self, credential_id: UUID) -> str:
        """Return the URL of a credential's page; it is the credential's `id` too."""
        return f"{self.base}/badges/{uuid_text(credential_id)}"

    def status_list(self, list_id: str) -> str:
        """Return the URL of a status list credential."""
        return f"{self.base}/status/{list_id}"

    def achievement(self, version: AchievementPublished) -> str:
        """Return the URL of an achievement version."""
        return achievement_address(self.base, version.version_key)

    def did_web(self, issuer_id: str) -> str:
        """Return the did:web whose document the verifier serves."""
        return did.did_web(self.base, "issuers", issuer_id)

    def authority(self) -> str:
        """Return the did:web of the authority itself, whose document the verifier serves too."""
        return did.did_web(self.base)
