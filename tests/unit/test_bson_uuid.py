"""UUIDs in documents: written as the driver alone writes them, and read back as what they were."""

from uuid import UUID

import bson
import pytest
from bson.binary import Binary, UuidRepresentation
from bson.codec_options import CodecOptions
from hypothesis import given
from hypothesis import strategies as st

from libs.common import bson_uuid

STANDARD = CodecOptions[dict[str, object]](uuid_representation=UuidRepresentation.STANDARD)


@given(st.uuids())
def test_a_uuid_is_written_as_the_driver_writes_it(value: UUID) -> None:
    ours, the_drivers = Binary.from_uuid(value), bson_uuid._driver_s(value)
    assert (ours, ours.subtype) == (the_drivers, the_drivers.subtype)
    written = bson.encode({"id": value}, codec_options=STANDARD)
    assert written == bson.encode({"id": the_drivers})
    assert bson.decode(written, STANDARD) == {"id": value}


def test_the_extension_calls_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Binary, "from_uuid", lambda *_: Binary(b"called", 4))
    assert bson.decode(bson.encode({"id": UUID(int=1)}, codec_options=STANDARD))["id"] == Binary(b"called", 4)


def test_other_representations_are_the_drivers() -> None:
    for representation in (UuidRepresentation.JAVA_LEGACY, UuidRepresentation.CSHARP_LEGACY):
        value = UUID("00112233-4455-6677-8899-aabbccddeeff")
        assert Binary.from_uuid(value, representation) == bson_uuid._driver_s(value, representation)
    with pytest.raises(TypeError):
        Binary.from_uuid("text")  # type: ignore[arg-type]
