"""A mail server that delivers nothing and keeps every mail as a file, named after its Message-ID.

The same mail offered again becomes `<id>.repeat-1.eml`, so that a repeat is seen. A file and its name are on the disk
before the client is told 250. Faults for tests are read from a control file, see `Faults`.
"""

import argparse
import asyncio
import json
import os
import re
import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Final

from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.embedded.layout import HOST

CONTROL: Final = ".faults.json"
"""The file in the mail directory that switches faults on; removing it switches them off."""

_MAX_BYTES: Final = 10 * 1024 * 1024
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._@+-]")
_LONGEST_NAME: Final = 180


@dataclass(frozen=True, slots=True)
class Faults:
    """How the sink misbehaves.

    Attributes:
        refuse: reply by recipient domain, such as {"full.example": "452 mailbox full"}; "*" is every domain.
        hang: seconds of silence before each mail is taken (a client's timeout).
        drop: "before" closes the connection instead of taking the mail, "after" keeps the mail and closes instead of
            saying 250 (the mail is offered again: a repeat), "" neither.
        every: faults `hang` and `drop` hit every n-th mail only.
    """

    refuse: dict[str, str] = field(default_factory=dict)
    hang: float = 0
    drop: str = ""
    every: int = 1

    @classmethod
    def read(cls, path: Path) -> "Faults":
        """The faults in force; none where there is no file."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return cls()

    def write(self, path: Path) -> None:
        """Put the faults in force, at once for the next command of every connection."""
        partial = path.with_suffix(".partial")
        partial.write_text(
            json.dumps({"refuse": self.refuse, "hang": self.hang, "drop": self.drop, "every": self.every}),
            encoding="utf-8",
        )
        partial.replace(path)


class Store:
    """The mails on disk: private, whole or not there, under names that show repeats."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def keep(self, content: bytes) -> Path:
        """Write one mail durably and return its file."""
        name = _file_name(content)
        partial = self._directory / f".{name}.{os.urandom(6).hex()}"
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            final = self._claim(partial, name)
        finally:
            partial.unlink(missing_ok=True)
        self._sync_directory()
        return final

    def _claim(self, partial: Path, name: str) -> Path:
        """Give a whole file its name; a link fails where a name is taken, so that no mail replaces another one."""
        repeat = 0
        while True:
            final = self._directory / (f"{name}.repeat-{repeat}.eml" if repeat else f"{name}.eml")
            try:
                os.link(partial, final)
            except FileExistsError:
                repeat += 1
            else:
                return final

    def _sync_directory(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _file_name(content: bytes) -> str:
    """The Message-ID without its brackets, with nothing that could leave the directory; `no-message-id` without one."""
    head = re.split(rb"\r?\n\r?\n", content, maxsplit=1)[0]
    told = str(BytesHeaderParser().parsebytes(head).get("Message-ID", "")).strip().strip("<>")
    return _UNSAFE.sub("_", told)[:_LONGEST_NAME].lstrip(".") or "no-message-id"


class Handler:
    """What aiosmtpd calls; its method names are the library's."""

    def __init__(self, directory: Path) -> None:
        self._store = Store(directory)
        self._control = directory / CONTROL
        self._writers = ThreadPoolExecutor(max_workers=8, thread_name_prefix="mail")
        self._taken = 0

    async def handle_RCPT(  # noqa: N802  # the library's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Refuse a recipient whose domain the faults name."""
        refuse = Faults.read(self._control).refuse
        reply = refuse.get(address.rpartition("@")[2].lower()) or refuse.get("*")
        if reply is not None:
            return reply
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # the library's name
        """Keep the mail; misbehave as told."""
        faults = Faults.read(self._control)
        self._taken += 1
        hit = self._taken % max(faults.every, 1) == 0
        if hit and faults.hang:
            await asyncio.sleep(faults.hang)
        if hit and faults.drop == "before":
            return self._drop(server)
        content = envelope.original_content or b""
        await asyncio.get_running_loop().run_in_executor(self._writers, self._store.keep, content)
        if hit and faults.drop == "after":
            return self._drop(server)
        return "250 kept"

    def _drop(self, server: SMTP) -> str:
        if isinstance(server.transport, asyncio.WriteTransport):
            server.transport.abort()
        return "421 closed"


async def serve(port: int, directory: Path) -> None:
    """Take mail on loopback until told to end."""
    handler = Handler(directory)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)

    def protocol() -> SMTP:
        return SMTP(handler, data_size_limit=_MAX_BYTES, enable_SMTPUTF8=True, hostname="localhost", timeout=300)

    server = await loop.create_server(protocol, HOST, port, reuse_address=True, backlog=512)
    async with server:
        await ended.wait()


def main(argv: Sequence[str] | None = None) -> None:
    """Run the sink: `python -m deploy.embedded.smtp_sink PORT DIRECTORY`."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args(argv)
    arguments.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    asyncio.run(serve(arguments.port, arguments.directory))


if __name__ == "__main__":
    main()
