"""Random decks, and the CSV files of carriers and spreadsheets that say the same in every documented way."""

import csv
import datetime as dt
import io
from collections.abc import Iterable, Sequence
from fractions import Fraction
from random import Random

from tests.integration.rating.reference import Rate

Files = list[tuple[str, list[str]]]

# Rates begin and end at these moments, some of them not at midnight; calls begin there, just before and just after.
MOMENTS = [
    int(dt.datetime.fromisoformat(f"{time}+00:00").timestamp() * 1000)
    for time in (
        "2026-01-01T00:00:00", "2026-02-01T00:00:00", "2026-02-14T06:30:00", "2026-03-29T01:00:00",
        "2026-04-01T00:00:00", "2026-05-05T12:00:00.001", "2026-07-01T00:00:00", "2026-09-30T23:59:59.999",
        "2026-10-25T01:00:00", "2026-12-01T00:00:00", "2027-01-01T00:00:00",
    )
]  # fmt: skip

# In E.164: two of each numbering plan, and of the countries that no plan is for the shortest numbers.
SUBSCRIBERS = [
    "12125550100", "18005550100", "14165550100", "13101234567", "442079460000", "447700900123", "4930123456",
    "4915123456789", "33142685300", "33612345678", "39066981234", "393471234567", "34912345678", "34612345678",
    "5511912345678", "551131234567", "74951234567", "77011234567", "919876543210", "911123456789", "61298765432",
    "61412345678", "6834000", "8611012345678", "870773123456",
]  # fmt: skip
SHORT_CODES = ["112"] * 5 + ["911", "999", "100", "1471", "118500", "113", "02", "000"]
OWN_NUMBERS = ["442079460001", "12125550199", "0301234", "1001", "1002", "2000", "7"]

_INCREMENTS = [(60, 60), (60, 60), (30, 6), (1, 1), (60, 1), (6, 6), (3600, 3600), (1, 3600)]
_NAMES = [None, None, "Mobile", "Ålesund; fixed, «low»", 'the "good" one', "=1+1"]
_MOST = 10**15  # micros


def random_deck(random: Random, currency: str, keys: int) -> list[Rate]:
    """Return rates of some prefixes, each with one rate or several that follow each other."""
    directions = ["outbound"] * 6 + ["inbound"] * random.choice([0, 2]) + ["internal"] * random.choice([0, 0, 1])
    deck: dict[tuple[str, str], list[Rate]] = {}
    for _ in range(keys):
        direction = random.choice(directions)
        key = (direction, _prefix(random, direction))
        deck[key] = list(_history(random, currency, *key))
    return [rate for history in deck.values() for rate in history]


def _prefix(random: Random, direction: str) -> str:
    if direction != "outbound":
        return random.choice(OWN_NUMBERS)[: random.randint(0, 4)]
    if random.random() < 0.3:
        return random.choice([*SHORT_CODES, "00", "0044", "44207946000012"])
    number = random.choice(SUBSCRIBERS)
    return number[: random.choice([0, 1, 1, 2, 2, 3, 4, 5, len(number)])]


def _history(random: Random, currency: str, direction: str, prefix: str) -> Iterable[Rate]:
    begins: list[int | None] = [*sorted(random.sample(MOMENTS, random.choice([1, 1, 2, 3])))]
    if random.random() < 0.5:
        begins[0] = None
    for begin, after in zip(begins, [*begins[1:], None], strict=True):
        ends = [at for at in MOMENTS if at > (begin or 0) and (after is None or at <= after)]
        first, following = random.choice(_INCREMENTS)
        yield Rate(
            direction=direction,
            prefix=prefix,
            per_min=_amount(random, currency),
            fee=random.choice([Fraction(0), Fraction(0), _amount(random, currency)]),
            first=first,
            next=following,
            valid_from=begin,
            valid_to=random.choice(ends) if ends and random.random() < 0.3 else None,
            name=random.choice(_NAMES),
        )


def _amount(random: Random, currency: str) -> Fraction:
    largest = _MOST if currency == "IRR" else 2_000_000
    micros = random.choice([0, 1, random.randint(1, 100) * 1000, random.randint(1, largest), largest])
    return Fraction(micros, 1_000_000)


def as_files(random: Random, deck: Sequence[Rate]) -> Files:
    """Write a deck as one or more files, each in a form of its own."""
    lines = random.sample(deck, len(deck))
    cut = random.randint(1, len(lines)) if random.random() < 0.3 else len(lines)
    return [(f"{number}.csv", _file(random, part)) for number, part in enumerate((lines[:cut], lines[cut:])) if part]


def _file(random: Random, deck: Sequence[Rate]) -> list[str]:
    delimiter = random.choice(",;")
    mark = random.choice(".,") if delimiter == ";" else "."
    rows = [_cells(random, rate, mark) for rate in deck]
    defaults = {"direction": "outbound", "increment": "60/60"}
    wanted = {"prefix", "per_min"} | {
        column for row in rows for column, cell in row.items() if cell and cell != defaults.get(column)
    }
    columns = random.sample(sorted(rows[0]), len(rows[0])) if random.random() < 0.5 else sorted(wanted)
    out = io.StringIO()
    if random.random() < 0.2:
        out.write(f"sep={delimiter}\r\n")
    quoting = random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=random.choice(["\n", "\r\n"]))
    writer.writerow(columns)
    for row in rows:
        writer.writerow([row[column] for column in columns])
        if random.random() < 0.1:
            out.write(random.choice([delimiter * (len(columns) - 1), delimiter * 2, " "]) + "\r\n")
    return out.getvalue().splitlines(keepends=True)


def _cells(random: Random, rate: Rate, mark: str) -> dict[str, str]:
    direction = "" if rate.direction == "outbound" and random.random() < 0.5 else rate.direction
    increment = f"{rate.first}/{rate.next}"
    return {
        "direction": direction,
        "prefix": ("+" if rate.prefix and random.random() < 0.1 else "") + rate.prefix,
        **_price(random, "per_min", rate.per_min, mark),
        **_price(random, "connection_fee", rate.fee, mark),
        "increment": "" if increment == "60/60" and random.random() < 0.5 else increment,
        "valid_from": _time(random, rate.valid_from),
        "valid_to": _time(random, rate.valid_to),
        "name": rate.name or "",
    }


def _price(random: Random, column: str, amount: Fraction, mark: str) -> dict[str, str]:
    micros = int(amount * 1_000_000)
    if column != "per_min" and micros == 0 and random.random() < 0.5:
        return {column: "", f"{column}_micros": ""}
    if random.random() < 0.3:
        return {column: "", f"{column}_micros": str(micros)}
    fraction = f"{micros % 1_000_000:06}".rstrip("0").ljust(random.randint(0, 6), "0")
    return {column: f"{micros // 1_000_000}{mark if fraction else ''}{fraction}", f"{column}_micros": ""}


def _time(random: Random, at_ms: int | None) -> str:
    if at_ms is None:
        return ""
    when = dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(milliseconds=at_ms)
    forms = [
        when.replace(tzinfo=None).isoformat(),
        when.isoformat(),
        when.astimezone(dt.timezone(dt.timedelta(hours=2))).isoformat(),
    ]
    if when.time() == dt.time():
        forms.append(f"{when:%Y-%m-%d}")
    return random.choice(forms)
