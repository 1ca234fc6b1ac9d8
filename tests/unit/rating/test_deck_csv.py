"""Rates as a file: every bad row is named with its line, all rows are taken or none, amounts are exact."""

import datetime as dt
import io
from decimal import Decimal

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rating.deck_csv import parse_deck, write_deck
from tollbook.errors import DataError
from tollbook.model.formula import defuse
from tollbook.model.rate import RateTerms


def deck(*lines: str) -> list[RateTerms]:
    return [RateTerms(*terms) for _, *terms in parse_deck([("", [f"{line}\n" for line in lines])])]


def problems(*lines: str) -> str:
    with pytest.raises(DataError) as caught:
        deck(*lines)
    return str(caught.value)


def test_a_row_with_defaults() -> None:
    assert deck("prefix,per_min", "49,0.012") == [
        RateTerms(
            direction="outbound", prefix="49", per_min_micros=12_000, connection_fee_micros=0, increment_sec=60,
            first_increment_sec=60, valid_from_ts=0, valid_to_ts=None, name="outbound 49",
        )
    ]  # fmt: skip


def test_a_row_with_everything() -> None:
    header = "Name, PREFIX ,direction,per_min_micros,connection_fee,increment,valid_from,valid_to"
    assert deck(header, '"Berlin, fixed",+4930,inbound,7,0.5,30/6,2026-12-01,2026-12-02T00:00:00.001+01:00') == [
        RateTerms(
            direction="inbound", prefix="4930", per_min_micros=7, connection_fee_micros=500_000, increment_sec=6,
            first_increment_sec=30, valid_from_ts=1_796_083_200_000, valid_to_ts=1_796_166_000_001,
            name="Berlin, fixed",
        )
    ]  # fmt: skip


def test_an_empty_prefix_is_the_rate_for_all_numbers() -> None:
    assert [row.prefix for row in deck("prefix,per_min", ",1", "1,1")] == ["", "1"]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("x,,,,,", "prefix 'x' is not digits"),
        ("49a,1,,,,", "prefix '49a' is not digits"),
        ("٤٩,1,,,,", "prefix '٤٩' is not digits"),
        ("++49,1,,,,", "prefix '++49' is not digits"),
        ("1234567890123456789,1,,,,", "is not digits"),
        ("49,,,,,", "the price of a minute is missing"),
        ("49,free,,,,", "per_min 'free' is not an amount"),
        ("49,\"1,5\",,,,", "a decimal comma is read where the columns are separated by ;"),
        ("49,NaN,,,,", "per_min 'NaN' is not an amount"),
        ("49,sNaN,,,,", "per_min 'sNaN' is not an amount"),
        ("49,Infinity,,,,", "per_min 'Infinity' is not an amount"),
        ("49,-0.01,,,,", "per_min -0.01 is not between 0 and 1000000000"),
        ("49,1000000000.000001,,,,", "is not between 0 and 1000000000"),
        ("49,1e999999,,,,", "is not between 0 and 1000000000"),
        ("49,1_000,,,,", "per_min '1_000' is not an amount"),
        ("49,٣,,,,", "per_min '٣' is not an amount"),
        ("49,1,1_0,,,", "connection_fee '1_0' is not an amount"),
        ("49,1e-999999,,,,", "finer than a micro"),
        ("49,0.0000001,,,,", "per_min 0.0000001 is finer than a micro: round it"),
        ("49,0.00000100000000000000000000000000000000001,,,,", "is finer than a micro"),
        ("49,1,-1,,,", "connection_fee -1 is not between"),
        ("49,1,x,,,", "connection_fee 'x' is not an amount"),
        ("49,1,,60,,", "increment '60' is not written like 60/60, 30/6 or 1/1"),
        ("49,1,,60/,,", "increment '60/' is not written like"),
        ("49,1,,1/1/1,,", "increment '1/1/1' is not written like"),
        ("49,1,,-1/1,,", "increment '-1/1' is not written like"),
        ("49,1,,²/1,,", "is not written like"),
        ("49,1,,0/1,,", "increment '0/1': each must be from 1 to 3600 seconds"),
        ("49,1,,1/3601,,", "each must be from 1 to 3600 seconds"),
        ("49,1,,99999999999999999999/1,,", "each must be from 1 to 3600 seconds"),
        ("49,1,,,soon,", "'soon' is not a time like 2026-12-01"),
        ("49,1,,,,2026-13-01", "'2026-13-01' is not a time"),
        ("49,1,,,2026-12-01,2026-12-01", "valid_to is not after valid_from"),
        ("49,1,,,2026-12-02,2026-12-01", "valid_to is not after valid_from"),
        ("49,1", "2 fields where the first line names a different number of columns"),
        ("49,1,,,,,,", "8 fields where"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_with_its_line(row: str, problem: str) -> None:
    message = problems("prefix,per_min,connection_fee,increment,valid_from,valid_to", "33,1,,,,", "", row, "44,1,,,,")
    assert message.startswith("nothing was imported:\n  line 4: ")
    assert problem in message
    assert message.count("\n  line ") == 1


def test_a_direction_must_be_one_that_calls_have() -> None:
    assert "line 2: direction 'sideways' is not one of inbound, outbound, internal" in problems(
        "direction,prefix,per_min", "sideways,1,1"
    )


def test_a_name_with_a_nul_is_named_with_its_line() -> None:
    assert "line 3: name 'a\\x00b' has a NUL" in problems("prefix,per_min,name", "1,1,a", "2,1,a\0b")


def test_what_is_wrong_with_one_row_is_said_of_each_like_it() -> None:
    """Cells that many rows share are read once; a mistake in them is a mistake of every row."""
    message = problems("prefix,per_min,name", "1,1,a", "2,x,a", "3,x,b", "4,1,b", "5,x,a")
    assert [line.split(":")[0].strip() for line in message.splitlines()[1:]] == ["line 3", "line 4", "line 6"]


def test_an_amount_may_not_be_given_twice() -> None:
    assert "per_min and per_min_micros are both given" in problems("prefix,per_min,per_min_micros", "1,1,1")
    assert deck("prefix,per_min,per_min_micros", "1,,5", "2,5,")[0].per_min_micros == 5


def test_micros_are_whole() -> None:
    assert "per_min_micros 1.5 is finer than a micro" in problems("prefix,per_min_micros", "1,1.5")
    assert "is not between 0 and 1000000000000000" in problems("prefix,per_min_micros", "1,1000000000000001")
    assert deck("prefix,per_min_micros", "1,1000000000000000")[0].per_min_micros == 10**15


def test_all_bad_rows_are_reported_at_once() -> None:
    message = problems("prefix,per_min", "x,1", "49,1", "y,1", "50,z")
    assert [line.split(":")[0].strip() for line in message.splitlines()[1:]] == ["line 2", "line 4", "line 5"]


def test_a_thousand_bad_rows_are_reported_in_twenty_lines() -> None:
    message = problems("prefix,per_min", *["x,1"] * 1000)
    assert len(message.splitlines()) == 22
    assert message.endswith("and 980 more")


def test_rows_of_empty_cells_are_no_rates_and_no_mistakes() -> None:
    """A spreadsheet saves emptied rows as delimiters alone; the lines of the others are counted as they stand."""
    assert [row.prefix for row in deck("prefix,per_min,name", ",,", "44,1,", " , ,", ",,,,,")] == ["44"]
    assert "line 4: prefix 'x'" in problems("prefix,per_min,name", ",,", "44,1,", "x,1,")


@pytest.mark.parametrize(
    "head", [["prefix;per_min;connection_fee;name"], ["sep=;", "prefix;per_min;connection_fee;name"]]
)
def test_a_spreadsheet_with_semicolons_may_have_a_decimal_comma(head: list[str]) -> None:
    """Where the first line shows it; Excel's own line with the separator is understood."""
    (row, other) = deck(*head, "49;0,012;1;Berlin, Ost", "44;1e3;,5;")
    assert (row.per_min_micros, row.connection_fee_micros, row.name) == (12_000, 1_000_000, "Berlin, Ost")
    assert (other.per_min_micros, other.connection_fee_micros) == (1_000_000_000, 500_000)


def test_a_spreadsheet_with_semicolons_may_have_a_decimal_point() -> None:
    assert deck("prefix;per_min", "49;0.012")[0].per_min_micros == 12_000


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (["49;0,012", "44;1.500"], "line 3: per_min '1.500': other amounts of the file have a decimal comma"),
        (["49;0.012", "44;1,500"], "line 3: per_min '1,500': other amounts of the file have a decimal point"),
        (["49;1.234,5"], "line 2: per_min '1.234,5' is not an amount: write 1234,5 without separators of thousands"),
        (["49;1,234,567"], "line 2: per_min '1,234,567' is not an amount"),
        (["49;,"], "line 2: per_min '.' is not an amount"),
    ],
)
def test_an_amount_that_can_be_read_in_two_ways_is_refused(rows: list[str], problem: str) -> None:
    """1.500 is one and a half or fifteen hundred, and the other amounts of the file say which mark it uses."""
    assert problem in problems("prefix;per_min", *rows)


def test_a_line_after_excel_s_own_is_counted_as_it_stands() -> None:
    assert "line 3: prefix 'x'" in problems("sep=,", "prefix,per_min", "x,1")


@pytest.mark.parametrize("head", ["prefix\tper_min", "prefix;per_min,name"])
def test_other_separators_are_refused_with_those_that_are_read(head: str) -> None:
    assert "separate the columns by , or ;" in problems(head)


def test_a_row_of_several_lines_is_named_by_a_line_of_it() -> None:
    assert "line 4: " in problems("prefix,per_min,name", '49,1,"two', 'lines"', "x,1,n")


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "must name the columns prefix and per_min"),
        (["prefix,name", "1,x"], "must name the columns prefix and per_min"),
        (["per_min", "1"], "must name the columns prefix and per_min"),
        (["prefix,per_min,colour", "1,1,red"], "unknown column 'colour'"),
        (["prefix,per_min,prefix", "1,1,1"], "a column stands twice"),
        (["prefix,per_min"], "the file holds no rates"),
        (["prefix,per_min", "", ""], "the file holds no rates"),
        (["prefix,per_min", '1,"1'], "not CSV"),
        (["prefix,per_min", '1,"1"x'], "line 2: not CSV"),
    ],
)
def test_a_file_that_is_no_deck_is_refused(lines: list[str], problem: str) -> None:
    assert problem in problems(*lines)


def test_the_same_prefix_in_another_direction_is_another_rate() -> None:
    assert len(deck("direction,prefix,per_min", "outbound,49,1", "inbound,49,1", "internal,49,1")) == 3


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_decimals_are_exact_to_the_micro(per_min: int, fee: int) -> None:
    """No float comes in between: what is written is what is stored."""
    (row,) = deck("prefix,per_min,connection_fee", f"1,{Decimal(per_min).scaleb(-6)},{Decimal(fee).scaleb(-6):f}")
    assert (row.per_min_micros, row.connection_fee_micros) == (per_min, fee)


@example(2_156_456_226_568)
@given(st.integers(0, 4_102_444_800_000))
def test_times_are_exact_to_the_millisecond(at_ms: int) -> None:
    seconds, ms = divmod(at_ms, 1000)
    day, second = divmod(seconds, 86_400)
    date = dt.date.fromordinal(719_163 + day)
    text = f"{date}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.{ms:03}Z"
    (row,) = deck("prefix,per_min,valid_from", f"1,1,{text}")
    assert row.valid_from_ts == at_ms


@given(st.lists(st.text(max_size=60), max_size=6))
def test_any_text_is_read_or_refused(lines: list[str]) -> None:
    """Only DataError comes out, and never some rows of a bad file."""
    try:
        rows = list(parse_deck([("", ["prefix,per_min,valid_from,increment,name\n", *lines])]))
    except DataError:
        return
    assert rows


@given(st.lists(st.text("0123456789.eE+-/:TZNaInf \"'", max_size=14), min_size=5, max_size=5))
def test_any_fields_are_read_or_refused(fields: list[str]) -> None:
    try:
        rows = deck("prefix,per_min,valid_from,increment,connection_fee", ",".join(fields))
    except DataError:
        return
    assert 0 <= rows[0].per_min_micros <= 10**15
    assert 0 <= rows[0].connection_fee_micros <= 10**15


micros = st.integers(0, 10**15)
instants = st.integers(-62_135_596_800_000, 253_402_300_799_999)  # the years 1 to 9999


@st.composite
def terms(draw: st.DrawFn) -> RateTerms:
    begin = draw(st.just(0) | instants)
    end = draw(st.none() | instants.filter(lambda at: at > begin)) if begin < 253_402_300_799_999 else None
    name = draw(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12))
    return RateTerms(
        draw(st.sampled_from(["outbound", "inbound", "internal"])),
        draw(st.text("0123456789", max_size=18)),
        draw(micros),
        draw(micros),
        draw(st.integers(1, 3600)),
        draw(st.integers(1, 3600)),
        begin,
        end,
        defuse(name.strip() or "x"),
    )


def file_of(rates: list[RateTerms]) -> list[str]:
    """The lines of an export, as a file gives them."""
    out = io.StringIO()
    write_deck(out, ((*msgspec.structs.astuple(rate), 1, 1, "p") for rate in rates))
    return io.StringIO(out.getvalue(), newline="").readlines()


def test_a_name_that_a_spreadsheet_would_run_is_made_harmless() -> None:
    """At the import, and in an export of what is in the database already."""
    (row,) = parse_deck([("", ["prefix,per_min,name\n", "49,1,=cmd|1\n"])])
    terms = RateTerms(*row[1:])
    assert terms.name == "'=cmd|1"
    assert file_of([msgspec.structs.replace(terms, name="Berlin;=1")])[1].endswith(",Berlin;'=1\r\n")


@given(st.lists(terms(), min_size=1, max_size=5))
def test_what_is_exported_is_read_back_as_it_was(rates: list[RateTerms]) -> None:
    assert [RateTerms(*terms) for _, *terms in parse_deck([("", file_of(rates))])] == rates


@given(st.lists(terms(), min_size=1, max_size=8), st.data())
def test_splitting_a_deck_into_files_differently_changes_nothing(rates: list[RateTerms], data: st.DataObject) -> None:
    """However many files, and wherever one ends: the same rates in the same order."""
    cuts = sorted(data.draw(st.lists(st.integers(1, len(rates)), max_size=3)))
    pieces = [rates[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(rates)], strict=True)]
    files = [(f"{number}.csv", file_of(piece)) for number, piece in enumerate(pieces)]
    assert [RateTerms(*terms) for _, *terms in parse_deck(files)] == rates


def test_a_bad_line_of_several_files_is_named_with_its_file() -> None:
    with pytest.raises(DataError) as caught:
        list(parse_deck([("a.csv", ["prefix,per_min\n", "1,1\n"]), ("b.csv", ["prefix,per_min\n", "x,1\n"])]))
    assert str(caught.value) == "nothing was imported:\n  b.csv line 2: prefix 'x' is not digits"
