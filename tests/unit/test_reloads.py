"""SIGHUP: what can be read anew is, and what cannot be used leaves everything as it was."""

import ssl
from pathlib import Path

import pytest
from pymongo.errors import AutoReconnect

from deploy.certificate import self_signed
from libs.access.signatures import GrantKeys, GrantSigner
from libs.common import metrics
from libs.common.reloads import Reloads
from libs.common.settings import SettingsError
from libs.common.store_access import trust_anew


def counted(outcome: str) -> float:
    value: float = metrics.RELOADS.labels(outcome)._value.get()
    return value


@pytest.mark.parametrize(
    "problem", [SettingsError("no such file"), AutoReconnect("MongoDB is away"), ValueError("odd")]
)
async def test_a_part_that_cannot_be_used_keeps_no_other_from_being_read(problem: Exception) -> None:
    done: list[str] = []
    reloads = Reloads()

    async def broken() -> None:
        raise problem

    async def good() -> None:
        done.append("good")

    reloads.add("broken", broken)
    reloads.add("good", good)
    before = counted("failed"), counted("done")
    await reloads.run()
    assert done == ["good"]
    assert (counted("failed") - before[0], counted("done") - before[1]) == (1, 1)


def test_connections_trust_what_the_file_holds_now(tmp_path: Path) -> None:
    first, second = (self_signed(tmp_path / name)[0] for name in ("first", "second"))
    context = ssl.create_default_context(cafile=first)
    trust_anew(context, second, "BOWERBIRD_KAFKA_CA_FILE")
    assert context.cert_store_stats()["x509"] == 2
    with pytest.raises(SettingsError, match="BOWERBIRD_KAFKA_CA_FILE"):
        trust_anew(context, tmp_path / "missing", "BOWERBIRD_KAFKA_CA_FILE")


def test_keys_that_sign_grants_are_those_of_the_file_as_it_is_now(tmp_path: Path) -> None:
    public = [GrantSigner(bytes([number]) * 32).public_key for number in (1, 2)]
    file = tmp_path / "grant-keys"
    file.write_text(public[0])
    keys = GrantKeys.load(file)
    file.write_text(public[1])
    keys.renew(file)
    assert public[1] in keys
    assert public[0] not in keys
    file.write_text("")
    with pytest.raises(SettingsError):
        keys.renew(file)
    assert public[1] in keys
