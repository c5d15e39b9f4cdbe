"""One piece of evidence, sent as a JSON object: read whole, so that what is wrong with it is the answer."""

from codecs import BOM_UTF8
from collections.abc import AsyncIterator, Iterator
from datetime import date

from libs.common.contact_details import ContactPolicy
from libs.common.errors import FieldProblem, InvalidRequestError
from services.evidence.sources.ndjson import json_fields
from services.evidence.sources.reader import RawRow
from services.evidence.sources.refusals import Refusal
from services.evidence.sources.rows import read_row


def good_fields(body: bytes, today: date, policy: ContactPolicy, *, local: bool) -> dict[str, str]:
    """Return the fields of the one object in `body`.

    Raises:
        InvalidRequestError: it is no such object, or the reader would refuse the row.
    """
    fields = json_fields(body.removeprefix(BOM_UTF8).strip())
    row = fields if isinstance(fields, Refusal) else read_row(fields, today, policy, local=local)
    if isinstance(fields, Refusal) or isinstance(row, Refusal):
        refusal = fields if isinstance(fields, Refusal) else row
        assert isinstance(refusal, Refusal)  # noqa: S101  # one of both is
        error = FieldProblem(field=refusal.column or "body", reason=refusal.message, code=refusal.reason.value)
        raise InvalidRequestError(refusal.message, [error])
    return fields


class OnePiece:
    """The reader of one piece of evidence, which was read already."""

    def __init__(self, fields: dict[str, str]) -> None:
        self._fields = fields

    def feed(self, _block: bytes) -> Iterator[RawRow]:
        """See `Reader`."""
        return iter(())

    def finish(self) -> Iterator[RawRow]:
        """See `Reader`."""
        yield 1, self._fields


async def nothing() -> AsyncIterator[bytes]:
    """Return the blocks of a body that was read already."""
    nothing: tuple[bytes, ...] = ()
    for block in nothing:
        yield block
