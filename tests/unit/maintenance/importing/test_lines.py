"""The rows of hostile files: each damaged one costs itself alone."""

import io

import pytest

from maintenance.importing import lines
from maintenance.importing.lines import MAX_LINE_BYTES, plain_lines, rows_of, unescaped_rows
from tollbook.errors import UsageError


def read(text: str | bytes, encoding: str = "utf-8") -> list[tuple[int, list[str], str]]:
    content = text.encode() if isinstance(text, str) else text
    return [(row.line, list(row.values.values()), row.problem) for row in rows_of(io.BytesIO(content), encoding)]


def test_rows_have_the_number_of_their_first_line() -> None:
    """A value may hold newlines."""
    assert read('uuid,xml\n1,"<a>\n<b>"\n2,x\n') == [(2, ["1", "<a>\n<b>"], ""), (4, ["2", "x"], "")]


def test_a_quote_that_is_never_closed_costs_its_line_alone() -> None:
    """It would swallow all rows up to the next quote."""
    assert read('uuid,name\n1,"open\n2,b\n3,c\n4,"d"\n5,e\n') == [
        (2, [], "it is no line of CSV: unexpected end of data"), (3, ["2", "b"], ""), (4, ["3", "c"], ""),
        (5, ["4", "d"], ""), (6, ["5", "e"], ""),
    ]  # fmt: skip


def test_a_row_of_another_width_is_refused() -> None:
    """With how many values it has."""
    assert read("uuid,name\n1,a,b\n2,c\n") == [(2, [], "it has 3 values, and the header 2"), (3, ["2", "c"], "")]


def test_a_line_without_end_is_refused_and_the_next_is_read() -> None:
    """It is never in memory whole."""
    found = read(b"uuid,name\n1," + b"x" * (2 * MAX_LINE_BYTES) + b"\n2,c\n")
    assert [(line, values) for line, values, _ in found] == [(2, []), (3, ["2", "c"])]
    assert "more than" in found[0][2]


def test_any_bytes_are_read() -> None:
    """Not UTF-8, a NUL, a byte order mark, both ends of line."""
    assert read(b"\xef\xbb\xbfuuid,name\r\n1,M\xfcller\r\n2,a\0b\r\n") == [
        (2, ["1", "M\ufffdller"], ""), (3, ["2", "a\ufffdb"], ""),
    ]  # fmt: skip
    assert read(b"uuid,name\n1,M\xfcller\n", "latin-1") == [(2, ["1", "Müller"], "")]


@pytest.mark.parametrize("content", [b"", b"\n", b"17\n18\n", b"\xff\xfeu\0u\0"])
def test_a_file_without_a_header_is_refused(content: bytes) -> None:
    """Whole: nothing says what its columns are."""
    with pytest.raises(UsageError):
        read(content)


def test_fusionpbx_own_export_escapes_nothing() -> None:
    """Its rows are its lines, whatever quotes a name holds."""
    content = b'"xml_cdr_uuid","caller_id_name","leg"\n"1","a "b" c","a"\n"2","d","e","a"\n"3","x","b"\n'
    found = list(unescaped_rows(io.BytesIO(content), "utf-8"))
    assert [(row.line, list(row.values.values())) for row in found] == [
        (2, ["1", 'a "b" c', "a"]), (3, []), (4, ["3", "x", "b"]),
    ]  # fmt: skip
    assert found[1].problem == "it has 4 values, and the header 3"


def test_empty_lines_are_no_rows() -> None:
    """Of a log, too."""
    assert [(row.line, row.text) for row in plain_lines(io.BytesIO(b"\na\n \nb"), "utf-8")] == [(2, "a"), (4, "b")]
    assert lines.MAX_LINE_BYTES >= 1024 * 1024
