"""E-mail addresses as the envelope needs them (RFC 5321, section 4.1.2; RFC 6531 for other than ASCII).

email-validator would do the same with a DNS client in tow, and the form of evidence needs a pattern that a schema can
publish; so the form of the local part stands here, and domains are read by the idna library.
"""

import re
from dataclasses import dataclass

import idna

_LONGEST = 254
_LOCAL = re.compile(r"[^\s@<>()\[\]\\,;:\"\x00-\x20\x7f-\x9f]{1,64}")
_DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox: local part as written, domain in ASCII and lower case."""

    local: str
    domain: str

    @classmethod
    def parse(cls, text: str) -> "Address | None":
        """Return the address; None where no mail server would take it, or where it could end the line it stands on."""
        local, _, domain = text.strip().rpartition("@")
        try:
            # IDNA 2008 after the mapping of UTS 46: what registries register and mail servers resolve.
            ascii_domain = domain.lower() if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
        except idna.IDNAError:
            return None
        if len(text) > _LONGEST or not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(ascii_domain):
            return None
        return cls(local, ascii_domain) if local.isprintable() else None

    @property
    def is_ascii(self) -> bool:
        """Whether any server can take it; others need SMTPUTF8."""
        return self.local.isascii()

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    def __repr__(self) -> str:
        # An address must not reach a log by way of a traceback.
        return "Address(…)"
