"""A mail server on loopback that delivers nothing and keeps every mail as a file, before it says 250.

Faults for tests are read from a control file, see `Faults`.
"""

import argparse
import asyncio
import json
import logging
import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Literal

import uvloop
from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.embedded.layout import HOST
from deploy.embedded.mail_store import MailStore

CONTROL: Final = ".faults.json"
"""The file in the mail directory that switches faults on; removing it switches them off."""

_MAX_BYTES: Final = 10 * 1024 * 1024
_IDLE_SECONDS: Final = 300
_LOG: Final = logging.getLogger("smtp-sink")


@dataclass(frozen=True, slots=True)
class Faults:
    """How the sink misbehaves.

    Attributes:
        refuse: reply by recipient domain, such as {"full.example": "452 mailbox full"}; "*" is every domain.
        hang: seconds of silence before a mail is taken (a client's timeout).
        drop: "before" closes the connection instead of taking the mail; "after" keeps the mail and closes instead of
            saying 250, so that it is offered again; "" neither.
        every: `hang` and `drop` hit every n-th mail only.
    """

    refuse: dict[str, str] = field(default_factory=dict)
    hang: float = 0
    drop: Literal["", "before", "after"] = ""
    every: int = 1

    @classmethod
    def read(cls, path: Path) -> "Faults":
        """The faults in force; none where there is no file."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return cls()

    def write(self, path: Path) -> None:
        """Put the faults in force, for the next command of every connection."""
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self)), encoding="utf-8")
        partial.replace(path)


class Committer:
    """Writes mails in groups: while one group goes to the disk, the next one gathers, and a group costs one sync."""

    def __init__(self, store: MailStore) -> None:
        self._store = store
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mail")

    async def keep(self, mail: bytes) -> None:
        """Return when the mail is on the disk.

        Raises:
            OSError: it could not be written.
        """
        loop = asyncio.get_running_loop()
        kept = loop.create_future()
        self._waiting.append((mail, kept))
        if self._task is None:
            self._task = loop.create_task(self._drain())
        await kept

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            group, self._waiting = self._waiting, []
            failure: OSError | None = None
            try:
                await loop.run_in_executor(self._writer, self._store.keep, [mail for mail, _ in group])
            except OSError as error:
                failure = error
            for _, kept in group:
                if kept.done():  # the client left meanwhile
                    continue
                if failure is None:
                    kept.set_result(None)
                else:
                    kept.set_exception(failure)
        self._task = None


class Handler:
    """What aiosmtpd calls; the names of its methods are the library's."""

    def __init__(self, directory: Path) -> None:
        self._committer = Committer(MailStore(directory))
        self._control = directory / CONTROL
        self._offered = 0

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

    async def handle_DATA(self, server: "Sink", session: Session, envelope: Envelope) -> str:  # noqa: N802  # as above
        """Keep the mail, or misbehave as told."""
        faults = Faults.read(self._control)
        self._offered += 1
        hit = self._offered % max(faults.every, 1) == 0
        if hit and faults.hang:
            await asyncio.sleep(faults.hang)
        if hit and faults.drop == "before":
            server.drop()
            return ""
        try:
            await self._committer.keep(envelope.original_content or b"")
        except OSError as error:
            _LOG.warning("a mail could not be kept: %s", error.strerror)
            return "452 the mail could not be kept, try later"
        if hit and faults.drop == "after":
            server.drop()
        return "250 kept"


class Sink(SMTP):
    """The library's server with the mail read in large pieces: line by line, as it has it, costs most of its time."""

    line_length_limit = _MAX_BYTES

    def drop(self) -> None:
        """Close the connection without another word."""
        self._writer.transport.abort()

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802  # as above
        """Take one mail, up to the lone dot."""
        if self.envelope is None or not self.envelope.rcpt_tos or arg:
            await self.push("503 RCPT first")
            return
        await self.push("354 end with a lone dot")
        try:
            content = await self._read_mail()
        except asyncio.LimitOverrunError:
            await self.push("552 too long")
            self.drop()
            return
        self.envelope.content = self.envelope.original_content = content
        status = await self._call_handler_hook("DATA")
        self._set_post_data_state()  # type: ignore[no-untyped-call]  # the library publishes no types
        if not self._writer.is_closing():
            await self.push(status)

    async def _read_mail(self) -> bytes:
        mail = bytearray(b"\r\n")
        while True:
            mail += await self._reader.readuntil(b".\r\n")
            if mail.endswith(b"\r\n.\r\n"):
                return bytes(mail[2:-3]).replace(b"\r\n..", b"\r\n.")
            if len(mail) > _MAX_BYTES:
                raise asyncio.LimitOverrunError("the mail is too long", len(mail))


async def serve(port: int, directory: Path) -> None:
    """Take mail until told to end."""
    handler = Handler(directory)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)

    def protocol() -> SMTP:
        return Sink(handler, hostname="localhost", timeout=_IDLE_SECONDS, enable_SMTPUTF8=True)

    server = await loop.create_server(protocol, HOST, port, reuse_address=True, backlog=512)
    _LOG.warning("taking mail on %s:%d, keeping it in %s", HOST, port, directory)
    await ended.wait()
    server.close()


def main(argv: Sequence[str] | None = None) -> None:
    """Run the sink: `python -m deploy.embedded.smtp_sink PORT DIRECTORY`."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args(argv)
    logging.basicConfig(format="%(asctime)s %(message)s")
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    arguments.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    uvloop.run(serve(arguments.port, arguments.directory))


if __name__ == "__main__":
    main()
