"""Small line plots as one SVG: what the documentation shows of a run. Text and lines alone, which need no library."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

Points = Sequence[tuple[float, float]]

_WIDTH: Final = 380
_HEIGHT: Final = 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 12, 26, 30
_LEGEND: Final = 14
# Okabe and Ito's, which the colour-blind tell apart; readable on white and on black.
_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_TICKS: Final = 4


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A plot of named lines. `log`: the x axis shows powers, for sizes that are ten times each other.

    Each panel's y axis begins at 0, so that what looks flat is flat.
    """

    title: str
    x: str
    lines: Mapping[str, Points]
    log: bool = False


def svg(panels: Sequence[Panel], columns: int = 2) -> str:
    """Return the panels beside and below each other, on white."""
    rows = math.ceil(len(panels) / columns)
    height = _HEIGHT + _LEGEND * max(math.ceil(len(panel.lines) / 2) for panel in panels)
    size = f'viewBox="0 0 {columns * _WIDTH} {rows * height}" width="{columns * _WIDTH}" height="{rows * height}"'
    shown = [
        f'<g transform="translate({place % columns * _WIDTH} {place // columns * height})">{_panel(panel)}</g>'
        for place, panel in enumerate(panels)
    ]
    style = 'font-family="sans-serif" font-size="11" fill="#222"'
    paper = '<rect width="100%" height="100%" fill="#fff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{paper}{"".join(shown)}</svg>\n'


def _panel(panel: Panel) -> str:
    points = [point for line in panel.lines.values() for point in line]
    low, high = min(x for x, _ in points), max(x for x, _ in points)
    step = _step(max(y for _, y in points))
    top = step * math.ceil(max(y for _, y in points) / step)

    def at(x: float, y: float) -> tuple[float, float]:
        share = (_log(x) - _log(low)) / (_log(high) - _log(low) or 1) if panel.log else (x - low) / (high - low or 1)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - y / top * (_HEIGHT - _TOP - _BOTTOM)

    drawn = [_text(_LEFT, 14, panel.title, weight="bold")]
    for number in range(round(top / step) + 1):
        x, y = at(low, number * step)
        drawn.append(f'<path d="M{x:.0f} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
        drawn.append(_text(x - 4, y + 4, f"{number * step:,.10g}", anchor="end"))
    marks = sorted({x for x, _ in points}) if panel.log else [low, (low + high) / 2, high]
    drawn += [
        _text(at(x, 0)[0], _HEIGHT - _BOTTOM + 13, f"{x:,.0f}", anchor="end" if x == high else "middle") for x in marks
    ]
    drawn.append(_text((_LEFT + _WIDTH) / 2, _HEIGHT - 4, panel.x, anchor="middle"))
    for number, (name, line) in enumerate(panel.lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        places = [at(x, y) for x, y in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        if panel.log:
            drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{colour}"/>' for x, y in places]
        x, y = _LEFT + number % 2 * 160, _HEIGHT + 10 + number // 2 * _LEGEND
        drawn.append(f'<path d="M{x} {y - 4}h16" stroke="{colour}" stroke-width="3"/>{_text(x + 21, y, name)}')
    return "".join(drawn)


def _log(value: float) -> float:
    return math.log10(value)


def _step(highest: float) -> float:
    """Return a round distance of the lines of an axis from 0 to `highest`, with about _TICKS of them."""
    power = 10.0 ** math.floor(math.log10(highest / _TICKS or 1)) if highest > 0 else 1.0
    return next((step * power for step in (1, 2, 5) if step * power * _TICKS >= highest), 10 * power)


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'
