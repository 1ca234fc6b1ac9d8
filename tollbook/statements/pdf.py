"""A statement as a PDF of A4 pages. The same statement gives the same bytes, with the same release of fpdf2.

DejaVu Sans is shipped beside this file, and only the characters that are used are embedded. What the font does not
have, such as Chinese, is drawn as U+FFFD; JSON and CSV have every character.
"""

import datetime as dt
import logging
from collections.abc import Sequence
from functools import cache
from importlib.resources import as_file, files
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from fontTools.ttLib import TTFont
from fpdf import FPDF

from tollbook.model.money import format_amount
from tollbook.model.party import Party
from tollbook.statements.amounts import minutes
from tollbook.statements.sections import NO_DESTINATION, Section, by_currency
from tollbook.statements.statement import Issued, Statement, Total

_FONT: Final = "DejaVu"
_FILES: Final = {"": "DejaVuSans.ttf", "B": "DejaVuSans-Bold.ttf"}
_MARGIN: Final = 20.0
# Where the footer begins, from the bottom.
_FOOT: Final = 18.0
# Of the table: destination, calls, minutes, amount. Together 170 mm.
_WIDTHS: Final = (92.0, 20.0, 26.0, 32.0)
_LINE: Final = 5.0
# More lines of a name than this are cut off: rates are named by operators, in a word or two.
_NAME_LINES: Final = 3
_GREY: Final = 110
# Latin, Greek, Cyrillic and Armenian come before it; Hebrew, Arabic and the scripts of India after it.
_FIRST_COMPLEX: Final = "\u0590"

_Style = Literal["", "B"]


def encode_pdf(issued: Issued) -> bytes:
    """Return a statement as a PDF."""
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it reports each table of a font
    page = _Pdf(issued)
    page.write_all()
    return bytes(page.output())


@cache
def _characters(style: _Style) -> frozenset[int]:
    """Return the characters that a font has."""
    with as_file(files("tollbook.statements") / "fonts" / _FILES[style]) as path, TTFont(path, lazy=True) as font:
        known: Any = font.getBestCmap()
        return frozenset(known)


def _is_complex(text: str) -> bool:
    """Whether a text may run from right to left, or its letters change with their neighbours."""
    return any(character >= _FIRST_COMPLEX for character in text)


def _drawn(text: str, style: _Style) -> str:
    known = _characters(style)
    return "".join(character if ord(character) in known else "\ufffd" for character in text)


class _Pdf(FPDF):
    """The pages: a table whose heading is repeated, and a footer with the number, the hash and the page."""

    def __init__(self, issued: Issued) -> None:
        super().__init__(format="A4")
        self._issued = issued
        self._of: Statement = issued.statement
        self._heading: str | None = None
        for style, name in _FILES.items():
            with as_file(files("tollbook.statements") / "fonts" / name) as path:
                self.add_font(_FONT, style, path)
        made_ms = self._of.from_ts if self._of.issued_ts is None else self._of.issued_ts
        self.set_creation_date(dt.datetime.fromtimestamp(made_ms // 1000, dt.UTC))
        self.set_title(self._title)
        self.set_author(self._of.issuer.name)
        self.set_lang("en")
        self.set_margins(_MARGIN, _MARGIN)
        self.set_auto_page_break(False)
        self.alias_nb_pages()

    @property
    def _title(self) -> str:
        return f"Statement {self._of.number}" if self._of.number else "Draft statement"

    def footer(self) -> None:
        """Write the footer of each page: what it belongs to, and which of how many pages it is."""
        self.set_y(-_FOOT + 4)
        self._font("", 7, grey=True)
        self.cell(_WIDTHS[0], 4, self._fit(self._title, _WIDTHS[0], ""))
        self.cell(0, 4, f"Page {self.page_no()} of {{nb}}", align="R")
        self.ln(4)
        frozen = f"SHA-256 of the content: {self._issued.sha256}"
        self.cell(0, 4, frozen if self._of.number else "A draft: not issued, and it may change")

    def write_all(self) -> None:
        """Write the whole statement."""
        self.add_page()
        self._write_head()
        if not self._of.lines:
            self._text("No calls.", "", 9)
        for currency, sections, total in by_currency(self._of):
            self._write_currency(currency, sections, total)
        self._write_notes()

    def _write_head(self) -> None:
        statement = self._of
        self._party(statement.issuer, "", 8)
        self.ln(6)
        self._party(statement.recipient, "B", 10)
        self._text(f"Account {statement.account_id}", "", 8, grey=True)
        self.ln(8)
        self._text(self._title, "B", 16, height=9)
        zone = ZoneInfo(statement.zone)
        first, last = (
            dt.datetime.fromtimestamp(at // 1000, zone) for at in (statement.from_ts, max(0, statement.until_ts - 1))
        )
        if statement.issued_ts is not None:
            date = dt.datetime.fromtimestamp(statement.issued_ts // 1000, zone)
            self._text(f"Date of issue: {date:%Y-%m-%d}", "", 9)
        self._text(f"Period of service: {first:%Y-%m-%d} to {last:%Y-%m-%d} ({statement.zone})", "", 9)
        self._text(f"Currency: {', '.join(total.currency for total in statement.totals) or 'none'}", "", 9)
        self.ln(4)

    def _party(self, party: Party, style: _Style, size: int) -> None:
        if party.name:
            self._text(party.name, style, size)
        for line in party.address:
            self._text(line, "", size)
        if party.tax_id:
            self._text(f"Tax id: {party.tax_id}", "", size)

    def _write_currency(self, currency: str | None, sections: Sequence[Section], total: Total | None) -> None:
        self._room(6 * _LINE)
        self._heading = f"Amount {currency}" if currency else "Amount"
        self._write_heading()
        for section in sections:
            self._room(3 * _LINE)
            self._row((section.title, "", "", ""), "B")
            for line in section.lines:
                self._row(
                    (
                        line.destination or NO_DESTINATION,
                        f"{line.calls}",
                        line.minutes,
                        format_amount(line.amount_micros),
                    ),
                    "",
                )
            sums = section.sums
            self._row(
                ("Subtotal", f"{sums.calls}", minutes(sums.billsec), format_amount(sums.cost_micros)), "B", rule=True
            )
        self._heading = None
        if total is not None:
            self._write_total(total)
        self.ln(4)

    def _write_total(self, total: Total) -> None:
        self._room((len(total.taxes) + 4) * _LINE)
        self.ln(2)
        exact = ("Sum of all lines, exact", f"{total.calls}", total.minutes, format_amount(total.amount_micros))
        self._row(exact, "", rule=True)
        self._row((f"Net, rounded ({total.currency})", "", "", total.net), "")
        for tax in total.taxes:
            self._row((f"{tax.name} {tax.rate} % of {tax.net}", "", "", tax.tax), "")
        self._row((f"Total due ({total.currency})", "", "", total.total), "B", rule=True)

    def _write_notes(self) -> None:
        statement = self._of
        if statement.estimated:
            self._text(f"The end of {statement.estimated} of the calls above is estimated.", "", 8)
        if lost := statement.not_compared:
            months = lost[0] if len(lost) == 1 else f"{lost[0]} to {lost[-1]}"
            self._text(f"The calls of {months} are no longer kept: they are corrected no more.", "", 8)
        if not statement.uncounted:
            return
        self._room(4 * _LINE)
        self._text("Not in the amounts above; a later statement charges what they come to:", "B", 8)
        for some in statement.uncounted:
            talked = f"{minutes(some.unrated_billsec)} minutes"
            calls = f"{some.open} calls have not ended, {some.unrated} have no price yet ({talked})"
            self._text(f"{some.month}: {calls}", "", 8)
        for call in statement.uncounted_calls:
            at = dt.datetime.fromtimestamp(call.start_ts // 1000, ZoneInfo(statement.zone))
            state = "not ended" if call.open else "no price"
            self._text(f"{at:%Y-%m-%d %H:%M:%S}  {state}  {call.call_id}", "", 7, grey=True)

    def _write_heading(self) -> None:
        self._font("B", 8)
        for text, width, align in zip(
            ("Destination", "Calls", "Minutes", self._heading or ""), _WIDTHS, "LRRR", strict=True
        ):
            self._draw(width, text, border="B", align=align, height=_LINE + 1)
        self.ln(_LINE + 1)

    def _row(self, texts: tuple[str, str, str, str], style: _Style, *, rule: bool = False) -> None:
        self._font(style, 8)
        name = self._wrapped(texts[0], _WIDTHS[0], style)
        self._room(len(name) * _LINE)
        self._font(style, 8)
        border: Literal["T", 0] = "T" if rule else 0
        for index, part in enumerate(name):
            numbers = texts[1:] if index == 0 else ("", "", "")
            self._draw(_WIDTHS[0], part, border=border if index == 0 else 0)
            for text, width in zip(numbers, _WIDTHS[1:], strict=True):
                self._draw(width, text, border=border if index == 0 else 0, align="R")
            self.ln(_LINE)

    def _draw(
        self, width: float, text: str, *, border: Literal["T", "B", 0] = 0, align: str = "L", height: float = _LINE
    ) -> None:
        """Draw a text in a cell, shaped only where its script needs it: shaping all takes five times as long."""
        self.set_text_shaping(_is_complex(text))
        self.cell(width, height, text, border=border, align=align)

    def _room(self, height: float) -> None:
        """Begin a new page, with the table's heading, unless there is room for this height."""
        if self.get_y() + height > self.h - _FOOT:
            self.add_page()
            if self._heading is not None:
                self._write_heading()

    def _text(self, text: str, style: _Style, size: int, *, height: float = _LINE, grey: bool = False) -> None:
        self._font(style, size, grey=grey)
        for line in self._wrapped(text, sum(_WIDTHS), style):
            self._room(height)
            self._font(style, size, grey=grey)
            self._draw(0, line, height=height)
            self.ln(height)

    def _font(self, style: _Style, size: int, *, grey: bool = False) -> None:
        self.set_font(_FONT, style, size)
        self.set_text_color(_GREY if grey else 0)

    def _wrapped(self, text: str, width: float, style: _Style) -> list[str]:
        """Cut a text into lines that fit, at blanks where there are some; the last one ends with … if more is left."""
        left, lines = _drawn(text, style), list[str]()
        while left and len(lines) < _NAME_LINES:
            part = self._fit(left, width, style, mark="")
            if len(part) < len(left) and len(lines) == _NAME_LINES - 1:
                part = self._fit(left, width, style)
                left = ""
            elif len(part) < len(left) and " " in part.strip():
                part = part[: part.rindex(" ") + 1]
            lines.append(part)
            left = left[len(part) :]
        return lines or [""]

    def _fit(self, text: str, width: float, style: _Style, *, mark: str = "…") -> str:
        """Return a text cut so that it fits into a width, in the present font."""
        text, room = _drawn(text, style), width - 2 * self.c_margin
        self.set_text_shaping(_is_complex(text))
        if self.get_string_width(text) <= room:
            return text
        first, last = 1, len(text)  # the longest that fits: a name may have thousands of characters
        while first < last:
            middle = (first + last + 1) // 2
            first, last = (middle, last) if self.get_string_width(text[:middle] + mark) <= room else (first, middle - 1)
        return text[:first] + mark
