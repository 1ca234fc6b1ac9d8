"""Prices a second: decks of a thousand, a hundred thousand and a million prefixes, and a trie on the same matches.

Each size runs in its own process, so that its memory is measured by itself: the deck is imported into PostgreSQL,
loaded as the listener loads it, and asked for numbers, nine of ten of which have a rate.
"""

import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rating.deck import Deck
from rating.deck_csv import parse_deck
from rating.loader import load_tariffs
from tollbook.embedded import embedded_postgres
from tollbook.model.charge import Charge
from tollbook.store.database import connect
from tollbook.store.schema import upgrade
from tollbook.store.tariffs.accounts import assign
from tollbook.store.tariffs.deck_import import replace_rates
from tollbook.store.tariffs.tariffs import Account, add_account

SIZES = (1_000, 100_000, 1_000_000)
NUMBERS = 200_000
AT = 1_800_000_000_000


def deck_file(size: int) -> Iterator[str]:
    """Yield the lines of a deck: prefixes of 2 to 10 digits, 300 names, a few hundred prices, three increments."""
    chance = random.Random(size)
    yield "prefix,per_min,increment,name\n"
    for prefix in prefixes(size):
        increment = chance.choice(("60/60", "30/6", "1/1"))
        yield f"{prefix},{chance.randrange(1, 500) / 1000},{increment},Destination {int(prefix[:3]) % 300}\n"


def prefixes(size: int) -> list[str]:
    """Make distinct prefixes; more than half are long enough for a million of them."""
    chance = random.Random(-size)
    found: set[str] = set()
    while len(found) < size:
        length = chance.choice((2, 3, 4, 5, 6, 6, 7, 7, 8, 8, 9, 10))
        found.add(str(chance.randrange(10 ** (length - 1), 10**length)))
    return sorted(found)


def numbers(size: int) -> list[str]:
    """Make numbers of 12 digits, nine of ten of which begin with a prefix of the deck."""
    chance = random.Random(size + 1)
    known = prefixes(size)
    return [
        "".join((chance.choice(known) if chance.random() < 0.9 else "0", str(chance.randrange(10**11, 10**12))))[:12]
        for _ in range(NUMBERS)
    ]


def resident_mb() -> float:
    """Return the resident set of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def measure(url: str, size: int) -> None:
    """Print the time and memory of one deck."""
    with connect(url, name="bench") as connection:
        began = time.monotonic()
        rows = (row.values() for row in parse_deck([("", deck_file(size))]))
        replace_rates(connection, "bench", None, rows)
        imported_s, imported_mb = time.monotonic() - began, resident_mb()
        add_account(connection, Account(account_id="acme", name="Acme", plan_id=None))
        assign(connection, "acme", "bench", from_ts=0, to_ts=None)
        began = time.monotonic()
        tariffs = load_tariffs(connection)
        loaded_s, loaded_mb = time.monotonic() - began, resident_mb() - imported_mb
    (deck,) = tariffs.decks.values()
    asked = numbers(size)
    matched_s, matched = _matches(deck, asked)
    parts = [(Charge(direction="outbound", number=number, seconds=61),) for number in asked]
    began = time.process_time()
    for one in parts:
        tariffs.price_charges("acme", AT, True, one)
    priced_s = time.process_time() - began
    print(
        f"  {size:>9,} prefixes: import {imported_s:.1f} s (process {imported_mb:.0f} MB), load {loaded_s:.2f} s,"
        f" {loaded_mb:.0f} MB, match {matched_s / NUMBERS * 1e6:.2f} µs, {NUMBERS / priced_s:,.0f} prices/s"
    )
    _trie(prefixes(size), asked, matched, matched_s)


def _matches(deck: Deck, asked: list[str]) -> tuple[float, list[str | None]]:
    began = time.process_time()
    found = [deck.match("outbound", number, AT) for number in asked]
    return time.process_time() - began, [rate.prefix if rate else None for rate in found]


def _trie(known: list[str], asked: list[str], expected: list[str | None], ours_s: float) -> None:
    """Print the same matches made by marisa-trie, which finds all prefixes of a number that it holds."""
    import marisa_trie

    before_mb, began = resident_mb(), time.process_time()
    trie = marisa_trie.RecordTrie("<l", zip(known, ((place,) for place in range(len(known))), strict=True))
    built_s, built_mb = time.process_time() - began, resident_mb() - before_mb
    began = time.process_time()
    found = [trie.prefixes(number) for number in asked]
    took_s = time.process_time() - began
    assert [max(some, key=len) if some else None for some in found] == expected
    print(
        f"            marisa-trie: build {built_s:.2f} s, {built_mb:.0f} MB, match {took_s / NUMBERS * 1e6:.2f} µs"
        f" ({took_s / ours_s:.1f} x ours), prefixes only"
    )


def run() -> None:
    """Print the figures; each size runs in its own process."""
    print(f"rating: {NUMBERS:,} numbers, a part each, CPU time (to reach at 100,000: 200,000 prices/s, load < 2 s)")
    for size in SIZES:
        subprocess.run([sys.executable, "-m", "benchmarks.rating", str(size)], check=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="tollbook-") as folder, embedded_postgres(Path(folder)) as postgres_url:
        upgrade(postgres_url)
        measure(postgres_url, int(sys.argv[1]))
