"""Cuts the bytes of a file into whole lines, and says of files that are no text what they are. Pure."""

from libs.common.errors import InvalidRequestError

_UTF8_BOM = b"\xef\xbb\xbf"
# So much of a file tells what it is.
_START = 512
_UTF16 = "The file is UTF-16 text; save it as UTF-8 (in Excel: 'CSV UTF-8') and send that."
_WORKBOOK = (
    "The file is an Excel workbook, not CSV: send it with the Content-Type of .xlsx,"
    " application/vnd.openxmlformats-officedocument.spreadsheetml.sheet, or save it as 'CSV UTF-8' and send that."
)
_OLD_WORKBOOK = (
    "The file is an Excel workbook of the old form (.xls), or protected by a password, not CSV: in Excel choose"
    " 'Save as', 'CSV UTF-8', and send that file."
)
_KINDS = (
    (b"\xff\xfe", _UTF16),
    (b"\xfe\xff", _UTF16),
    (b"\xd0\xcf\x11\xe0", _OLD_WORKBOOK),
    (b"%PDF-", "The file is a PDF; send the table itself, as 'CSV UTF-8'."),
    (b"\x1f\x8b", "The file is compressed by gzip; say so in the header Content-Encoding: gzip."),
    (b"{\\rtf", "The file is a text document (RTF); send the table itself, as 'CSV UTF-8'."),
    (b"\x89PNG", "The file is a picture; send the table itself, as 'CSV UTF-8'."),
    (b"\xff\xd8\xff", "The file is a picture; send the table itself, as 'CSV UTF-8'."),
)
_OFFICE = (b"[Content_Types].xml", b"_rels/", b"docProps/", b"xl/")
_MARKUP = (b"<!doctype", b"<html", b"<head", b"<body", b"<table", b"<meta", b"<?xml")


class Lines:
    """Whole lines, ended by LF, CR LF or CR; a line that passes the limit is shortened and passes it still."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._start: bytes | None = b""
        self._tail = b""
        self._dropping = False

    def feed(self, block: bytes) -> bytes:
        """Return the lines that this block completes, line ends included.

        Raises:
            InvalidRequestError: the file is something else than UTF-8 text.
        """
        block = self._begun(block)
        if self._dropping:
            end = _first_end(block)
            if end < 0:
                return b""
            block, self._dropping = block[end:], False
        text = self._tail + block
        # A carriage return at the end may be the first half of a line end.
        cut = max(text.rfind(b"\n"), text.rfind(b"\r", 0, max(0, len(text) - 1))) + 1
        self._tail = text[cut:]
        if len(self._tail) > self._longest and not self._tail.endswith(b"\r"):
            # One byte more than the limit tells all there is to tell of it.
            self._tail, self._dropping = self._tail[: self._longest + 1], True
        return text[:cut]

    def finish(self) -> bytes:
        """Return the last line, if it has no end; raises as `feed` does."""
        if self._start is not None:
            self._tail = self._begun(b"", last=True)
        rest, self._tail = self._tail, b""
        return rest

    def _begun(self, block: bytes, *, last: bool = False) -> bytes:
        """Return the bytes to read: none before the start of the file is here as a whole, and no byte order mark."""
        if self._start is None:
            return block
        self._start += block
        if len(self._start) < _START and not last:
            return b""
        start, self._start = self._start, None
        _check_kind(start[:_START])
        return start.removeprefix(_UTF8_BOM)


def _first_end(block: bytes) -> int:
    ends = [end for end in (block.find(b"\n"), block.find(b"\r")) if end >= 0]
    return min(ends, default=-1)


def _check_kind(start: bytes) -> None:
    for begins, message in _KINDS:
        if start.startswith(begins):
            raise InvalidRequestError(message)
    if start.startswith(b"PK\x03\x04"):
        is_office = any(name in start for name in _OFFICE)
        raise InvalidRequestError(
            _WORKBOOK
            if is_office
            else "The file is a ZIP archive, not CSV: send it as application/zip if one file of evidence is in it; an"
            " OpenDocument spreadsheet is to be saved as 'CSV UTF-8'."
        )
    if len(start) >= 8 and start.count(0) * 4 >= len(start):
        raise InvalidRequestError(_UTF16)
    if start.removeprefix(_UTF8_BOM).lstrip().lower().startswith(_MARKUP):
        raise InvalidRequestError(
            "The file is a web page or XML, not CSV; it may be a page to sign in. Save the table as 'CSV UTF-8'."
        )
