"""Whether all that a document says of itself stands at its top, where checks look for it."""

from typing import Any, Final

import orjson

from libs.openbadges.model.errors import CredentialError

_ENDORSING: Final = frozenset({"id", "type", "endorsementComment"})


def check_own_id(document: dict[str, Any], text: bytes) -> None:
    """Refuse a document that says something of itself elsewhere than at its top.

    RDF puts together what stands in two objects of one id, so a property like credentialStatus could be carried
    off to where no check looks, and the proof would still be good. An endorsement of the document, within it, speaks
    of it with its own few words (Open Badges 3.0, class EndorsementSubject), which mean nothing at the top.

    Raises:
        CredentialError: `duplicate_id`.
    """
    own = document.get("id")
    if not isinstance(own, str) or text.count(orjson.dumps(own)) < 2:
        return
    below: list[Any] = list(document.values())
    while below:
        node = below.pop()
        if isinstance(node, dict):
            if node.get("id") == own and len(node) > 1 and not _only_endorses(node):
                raise CredentialError("duplicate_id", "The id of the document stands in a second object within it.")
            below.extend(node.values())
        elif isinstance(node, list):
            below.extend(node)


def _only_endorses(node: dict[str, Any]) -> bool:
    return node.keys() <= _ENDORSING and node.get("type") in ("EndorsementSubject", ["EndorsementSubject"])
