"""The form of the page at /: read as browsers and clients write it, and cheaply whatever is sent."""

import time

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import InvalidRequestError
from services.verifier.verification.form import Form, read_form

KIND = "multipart/form-data; boundary=b"
NAMED = b'Content-Disposition: form-data; name="link"'


@given(st.binary(max_size=300), st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=50))
def test_what_a_client_sends_is_read_as_it_was(file: bytes, link: str) -> None:
    sent = httpx.Request("POST", "http://test", data={"link": link}, files={"file": ("a.png", file)})
    assert read_form(sent.read(), sent.headers["content-type"]) == Form(file, link.strip())


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"--b--\r\n", Form()),
        (b"--b\r\n" + NAMED + b"\r\n\r\nx\r\n--b--", Form(link="x")),
        (b"before\r\n--b \t\r\n" + NAMED + b"\r\n\r\n x \r\n--b--\r\nbehind", Form(link="x")),
        (b"--b\r\nA: b\r\ncontent-disposition:form-data;name=link\r\n\r\nx\r\n--b--", Form(link="x")),
        (b"--b\r\n\r\nof no name\r\n--b--", Form()),
        # Of two parts of one name, the first; a boundary within a line is none.
        (b"--b\r\n" + NAMED + b"\r\n\r\nx--b\r\n--b\r\n" + NAMED + b"\r\n\r\ny\r\n--b--", Form(link="x--b")),
    ],
)
def test_a_form_is_read(body: bytes, form: Form) -> None:
    assert read_form(body, KIND) == form


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", KIND),
        (b"--b\r\n" + NAMED + b"\r\n\r\nx", KIND),
        (b"--b--", "multipart/form-data"),
        (b"--b--", "multipart/mixed; boundary=b"),
        (b"--" + b"b" * 71 + b"--", f"multipart/form-data; boundary={'b' * 71}"),
        (b"--b\r\n\r\nx\r\n" * 10 + b"--b--", KIND),
        (b"--b\r\nX: " + b"y" * 3_000 + b"\r\n\r\nx\r\n--b--", KIND),
    ],
)
def test_what_is_no_form_of_ours_is_refused(body: bytes, kind: str) -> None:
    with pytest.raises(InvalidRequestError):
        read_form(body, kind)


@pytest.mark.parametrize(
    "body",
    [
        b"--b" + b" " * 4_000_000,
        b"--b\r\n" + b"x" * 4_000_000,
        b"--b\r\nX: " + b"\r" * 4_000_000,
        b"--b\r\n\r\n" + b"\r\n--" * 1_000_000,
        b"--b\r\n\r\n" * 500_000,
    ],
)
def test_no_body_costs_much_more_than_reading_it_through(body: bytes) -> None:
    started = time.process_time()
    assert bytes(each ^ 1 for each in body[:1_000_000])
    through = time.process_time() - started
    started = time.process_time()
    with pytest.raises(InvalidRequestError):
        read_form(body, KIND)
    assert time.process_time() - started < 2 * through
