"""`bowerbird catalogue` on the real issuer service: from files to versions that everybody reads, and back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest

from bowerbird.cli import app as command
from deploy.embedded.stack import Stack

pytestmark = pytest.mark.integration

Run = Callable[..., Coroutine[Any, Any, int]]

FILES = {
    "song": """id: song
name: Song
description: Sings alone.
criteria: Was heard.
required_level: relational
levels:
  - {level: multistructural, description: Sings the notes.}
  - {level: relational, name: Carries, description: Carries a tune.}
""",
    "choir": """id: choir
version: 1
name: Choir
description: |
  Sings with others.

  Listens: to them.
criteria: Was heard, twice.
rule:
  type: all
  of:
    - {type: evidence, count: 2, within: P90D}
    - {type: holds, achievement: song, level: relational}
revoked_with_holdings: true
""",
}


@pytest.fixture(scope="module")
async def stack(infrastructure: Stack) -> AsyncIterator[Stack]:
    infrastructure.start("issuer")
    yield infrastructure
    infrastructure.stop("issuer")


@pytest.fixture
async def run(stack: Stack, tmp_path: Path) -> Run:
    url, key_file = stack.url("issuer"), tmp_path / "catalogue.key"
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {stack.admin_key}"}) as admin:
        made = await admin.post("/v1/issuers", json={"id": "lyrebird", "name": "Lyrebird College"})
        assert made.status_code in {200, 201}, made.text
        scopes = ["catalogue:read", "catalogue:write"]
        key = await admin.post("/v1/issuers/lyrebird/keys", json={"name": "Catalogue", "scopes": scopes})
    key_file.touch(mode=0o600)
    key_file.write_text(key.json()["key"])

    async def call(*words: str) -> int:
        argv = ["catalogue", *words, "--key-file", str(key_file), "--url", url]
        status: int = await asyncio.to_thread(command, argv, exit_on_error=False, result_action="return_value")
        return status

    return call


async def test_files_are_published_in_their_order_exported_and_a_change_is_one_version(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, exported = tmp_path / "files", tmp_path / "exported"
    files.mkdir()
    for name, text in FILES.items():
        (files / f"{name}.yaml").write_text(text)
    assert await run("apply", str(files), "--dry-run") == 0
    assert "+ song: version 1: new\n+ choir: version 1: new\n" in capsys.readouterr().out
    for told in ("2 new, 0 changed, 0 unchanged", "0 new, 0 changed, 2 unchanged"):
        assert await run("apply", str(files)) == 0
        assert told in capsys.readouterr().out
    assert await run("export", str(exported)) == 0
    assert [await run(word, str(exported)) for word in ("diff", "apply")] == [0, 0]
    assert "0 new, 0 changed, 2 unchanged" in capsys.readouterr().out
    choir = (exported / "choir.yaml").read_text()
    (exported / "choir.yaml").write_text(choir.replace("count: 2", "count: 3"))
    assert await run("apply", str(exported)) == 1
    assert "choir.yaml:2: version: version 1 is published, and the file says something else of rule" in (
        capsys.readouterr().err
    )
    (exported / "choir.yaml").write_text(choir.replace("count: 2", "count: 3").replace("version: 1", "version: 2"))
    assert await run("apply", str(exported)) == 0
    assert "~ choir: version 2: rule\nlyrebird: 0 new, 1 changed, 1 unchanged" in capsys.readouterr().out
    assert await run("diff", str(files)) == 2
    assert "version 2 is published since" in capsys.readouterr().out
