"""The parser of requests, given what it must refuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waitress.adjustments import Adjustments

from export_app.server.request_parser import MAX_BODY_BYTES, MAX_HEAD_BYTES, RequestParser


def parsed(data: bytes, *, in_parts_of: int = 1 << 20) -> RequestParser:
    parser = RequestParser(
        Adjustments(max_request_header_size=MAX_HEAD_BYTES + 1, max_request_body_size=MAX_BODY_BYTES + 1)
    )
    for start in range(0, len(data), in_parts_of):
        part = data[start : start + in_parts_of]
        while part and not parser.completed:  # it takes the head and the body one after the other
            part = part[parser.received(part) :]
    return parser


def refused(parser: RequestParser) -> int | None:
    return parser.error.code if parser.error else None


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET http://[::1 HTTP/1.1\r\n\r\n", 400),
        (b"GET /[ HTTP/1.1\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\na b: c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: x\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\na: " + b"x" * (MAX_HEAD_BYTES - 23) + b"\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\na: " + b"x" * (MAX_HEAD_BYTES - 22) + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % MAX_BODY_BYTES + b"x" * MAX_BODY_BYTES, None),
        (b"GET / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1), 413),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n" + b"x" * 0x20000, 413),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 0x20000, 413),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx: " + b"0" * 0x20000, 413),
    ],
)
@pytest.mark.parametrize("in_parts_of", [1 << 20, 1000])
def test_what_is_refused(data: bytes, status: int | None, in_parts_of: int) -> None:
    """Each is refused with its status, or taken, however it is cut into packets."""
    parser = parsed(data, in_parts_of=in_parts_of)
    assert parser.completed
    assert refused(parser) == status
    assert f"{parser.command} {parser.path}"  # what the log says of it


def test_blank_lines_are_no_request() -> None:
    """However many come, no request completes, and the one that follows is whole."""
    parser = parsed(b"\r\n" * 100, in_parts_of=1)
    assert not parser.completed
    parser.received(b"\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n")
    assert parser.completed
    assert parser.path == "/healthz"


@pytest.mark.parametrize(
    ("header", "expects"),
    [
        ("Content-Length: 5", True),
        ("Transfer-Encoding: chunked", True),
        ("Content-Length: 0", False),
        ("X: y", False),
        (f"Content-Length: {MAX_BODY_BYTES + 1}", False),
    ],
)
def test_a_body_is_asked_for_only_when_one_will_be_read(header: str, expects: bool) -> None:
    """`Expect: 100-continue` without a body, or with one that is refused, is not answered with 100."""
    parser = parsed(f"GET / HTTP/1.1\r\nExpect: 100-continue\r\n{header}\r\n\r\n".encode())
    assert parser.expect_continue is expects
    assert parser.completed is not expects


PIECES = [
    b"GET ", b"/", b"http://[", b" HTTP/1.1", b"\r\n", b"\n", b"\r", b"Content-Length: ", b"5", b":", b" ", b"\t",
    b"Transfer-Encoding: chunked", b"Expect: 100-continue", b"\x00", b"\xff", b"%00", b"0", b"a", b";", b"#", b"?",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=40).map(b"".join))
def test_nothing_makes_it_fail(data: bytes) -> None:
    """Whatever comes, the parser raises nothing, and gives the same whole and byte by byte."""
    whole, bytewise = parsed(data), parsed(data, in_parts_of=1)
    assert (whole.completed, whole.error and whole.error.code) == (
        bytewise.completed,
        bytewise.error and bytewise.error.code,
    )
