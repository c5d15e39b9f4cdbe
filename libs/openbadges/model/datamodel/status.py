"""What a status entry and the subject of a status list must be (Bitstring Status List 1.0, sections 2.1 and 2.2)."""

import re
from typing import Any, Final

from libs.openbadges.model.datamodel.forms import is_url, refuse, require_url
from libs.openbadges.model.errors import CredentialError

_INDEX: Final = re.compile(r"(0|[1-9][0-9]{0,17})\Z", re.ASCII)
_STATUS: Final = re.compile(r"0x[0-9a-fA-F]+\Z")
_WIDEST: Final = 16


def check_status_entry(entry: dict[str, Any], path: str) -> None:
    """Check an entry of the kind BitstringStatusListEntry; other kinds have rules of their own.

    Raises:
        CredentialError: with the place of what is wrong.
    """
    if entry.get("type") != "BitstringStatusListEntry":
        return
    if not isinstance(entry.get("statusPurpose"), str) or not entry["statusPurpose"]:
        raise refuse("A status entry has one purpose, as text.", f"{path}/statusPurpose")
    index = entry.get("statusListIndex")
    if not isinstance(index, str) or not _INDEX.match(index):
        raise refuse("The index in a status list is a whole number, as text.", f"{path}/statusListIndex")
    require_url(entry.get("statusListCredential"), f"{path}/statusListCredential")
    if entry.get("id") == entry["statusListCredential"]:
        raise refuse("The id of a status entry is not that of the list.", f"{path}/id")
    _check_messages(entry, path)


def is_status_entry(entry: dict[str, Any]) -> bool:
    """Return whether an entry is what it must be, see `check_status_entry`."""
    try:
        check_status_entry(entry, "")
    except CredentialError:
        return False
    return True


def _check_messages(entry: dict[str, Any], path: str) -> None:
    size = entry.get("statusSize", 1)
    if type(size) is not int or not 1 <= size <= _WIDEST:
        raise refuse(f"A status has 1 to {_WIDEST} bits.", f"{path}/statusSize")
    messages = entry.get("statusMessage")
    if messages is None and "statusMessage" not in entry:
        if size > 1:
            raise refuse("A status of several bits says what its values mean.", f"{path}/statusMessage")
        return
    if not isinstance(messages, list) or len(messages) != 2**size:
        raise refuse("There is one message for each value of a status.", f"{path}/statusMessage")
    for place, one in enumerate(messages):
        status = one.get("status") if isinstance(one, dict) else None
        if not isinstance(status, str) or not _STATUS.match(status) or not isinstance(one.get("message"), str):
            raise refuse("A message has a status like 0x0 and a message.", f"{path}/statusMessage/{place}")
    references = entry.get("statusReference", [])
    for one in references if isinstance(references, list) else [references]:
        if not is_url(one):
            raise refuse("A reference is a URL.", f"{path}/statusReference")


def check_status_list(subject: dict[str, Any], types: list[str], path: str) -> None:
    """Check the subject of a status list credential, which is one by its own type or by the credential's.

    Raises:
        CredentialError: with the place of what is wrong.
    """
    named, listing = "BitstringStatusListCredential" in types, subject.get("type") == "BitstringStatusList"
    if not named and not listing:
        return
    if not listing:
        raise refuse("The subject of a status list credential is a BitstringStatusList.", f"{path}/type")
    if not named:
        raise refuse("A status list stands in a BitstringStatusListCredential.", "/type")
    purposes = subject.get("statusPurpose")
    stated = purposes if isinstance(purposes, list) else [purposes]
    if not stated or not all(isinstance(one, str) and one for one in stated):
        raise refuse("A status list has one or more purposes, as text.", f"{path}/statusPurpose")
    encoded = subject.get("encodedList")
    if not isinstance(encoded, str) or not encoded.startswith("u"):
        raise refuse("The bits of a status list are gzip in base64url, after a u.", f"{path}/encodedList")
    life = subject.get("ttl", 1)
    if type(life) is not int or life < 1:
        raise refuse("ttl is a number of milliseconds.", f"{path}/ttl")
