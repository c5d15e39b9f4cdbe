"""Whether all that a document says of itself stands at its top, where checks look for it."""

from typing import Any, Final

import orjson

from libs.openbadges.model.errors import CredentialError

_ENDORSING: Final = frozenset({"id", "type", "endorsementComment"})


def check_own_id(document: dict[str, Any], text: bytes) -> None:
    """Refuse a document that says something of itself elsewhere than at its top.

    RDF puts together what stands in two objects of one id, so a property like credentialStatus could be carried
    off to where no check looks, and the proof would still be good. An endorsement of the document, within it, speaks
    of it with its own few words (Open Badges 3.0, class EndorsementSubject), which mean nothing at the top. A refresh
    service may stand at the credential's own URL, and say no more there than its type.

    Raises:
        CredentialError: `duplicate_id`.
    """
    own = document.get("id")
    if not isinstance(own, str) or text.count(orjson.dumps(own)) < 2:
        return
    services = document.get("refreshService")
    below: list[Any] = [value for name, value in document.items() if name != "refreshService"]
    below += [one for one in (services if isinstance(services, list) else [services]) if not _is_bare_service(one)]
    while below:
        node = below.pop()
        if isinstance(node, dict):
            if node.get("id") == own and len(node) > 1 and not _only_endorses(node):
                raise CredentialError("duplicate_id", "The id of the document stands in a second object within it.")
            below.extend(node.values())
        elif isinstance(node, list):
            below.extend(node)


def _is_bare_service(node: Any) -> bool:
    return isinstance(node, dict) and node.keys() == {"id", "type"} and not _is_nested(node["type"])


def _is_nested(types: Any) -> bool:
    return not all(isinstance(one, str) for one in (types if isinstance(types, list) else [types]))


def _only_endorses(node: dict[str, Any]) -> bool:
    return node.keys() <= _ENDORSING and node.get("type") in ("EndorsementSubject", ["EndorsementSubject"])
