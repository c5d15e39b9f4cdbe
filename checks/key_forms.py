"""The forms of this product's own secrets, as a plugin of detect-secrets."""

import re

from detect_secrets.plugins.base import RegexBasedDetector


class BowerbirdKeyDetector(RegexBasedDetector):
    """Finds API keys, signing keys as multikeys, and 32 bytes in base64 where nothing else stands on the line."""

    secret_type = "Bowerbird Key"  # noqa: S105  # a name for a kind of secret
    denylist = (
        # libs/access/key_text.py; its check digits are no part of the text, so that a mistyped key is found too.
        re.compile(r"\bbb_[A-Za-z0-9_-]{43}"),
        # The secret half of an Ed25519 and of a P-256 key, as a Multikey writes them (CID 1.0, section 2.2.2).
        re.compile(r"\b(?:z3u2|z42t)[1-9A-HJ-NP-Za-km-z]{40,50}\b"),
        # A file of the authority's secret or of the key-encryption key holds one such line.
        re.compile(r"^\s*([A-Za-z0-9+/]{43}=)\s*$", re.MULTILINE),
    )
