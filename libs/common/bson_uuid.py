"""UUIDs to BSON in half of the driver's time: its extension calls Python for each, and a credential has thirty of them.

tests/unit/test_bson_uuid.py holds that what is written is the same.
"""

from uuid import UUID

from bson.binary import UUID_SUBTYPE, Binary, UuidRepresentation

_driver_s = Binary.from_uuid
_new = bytes.__new__
# `Binary` keeps its subtype under a private name.
_SUBTYPE = "_Binary__subtype"


def _from_uuid(uuid: UUID, uuid_representation: int = UuidRepresentation.STANDARD) -> Binary:
    if uuid_representation != UuidRepresentation.STANDARD or type(uuid) is not UUID:
        return _driver_s(uuid, uuid_representation)
    binary = _new(Binary, uuid.int.to_bytes(16, "big"))
    binary.__dict__[_SUBTYPE] = UUID_SUBTYPE
    return binary


Binary.from_uuid = _from_uuid  # type: ignore[method-assign]  # what the extension looks up
