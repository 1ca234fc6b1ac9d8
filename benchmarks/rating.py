"""Prices a second: decks of a thousand, a hundred thousand and a million prefixes, and a trie on the same matches.

Each size runs in its own process, so that its memory is measured by itself: the deck is imported into PostgreSQL,
loaded as the listener loads it, and asked for numbers, nine of ten of which have a rate.
"""

import multiprocessing
import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import marisa_trie

from benchmarks.database import database
from benchmarks.figure import TIMES, Figure, at_least, at_most
from benchmarks.processes import resident_mb
from rating.deck_csv import parse_deck
from rating.loader import load_tariffs
from tollbook.model.charge import Charge
from tollbook.store.database import Connection, connect
from tollbook.store.tariffs.accounts import assign
from tollbook.store.tariffs.deck_import import replace_rates
from tollbook.store.tariffs.tariffs import Account, add_account

SIZES = (1_000, 100_000, 1_000_000)
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


def numbers(size: int, count: int) -> list[str]:
    """Make numbers of 12 digits, nine of ten of which begin with a prefix of the deck."""
    chance = random.Random(size + 1)
    known = prefixes(size)
    return [
        "".join((chance.choice(known) if chance.random() < 0.9 else "0", str(chance.randrange(10**11, 10**12))))[:12]
        for _ in range(count)
    ]


def measure(size: int, count: int) -> list[Figure]:
    """Return the figures of one deck, and check each match and each price."""
    with database() as settings, connect(settings.require_database_url(), name="bench") as connection:
        begun = time.monotonic()
        rows = (row.values() for row in parse_deck([("", deck_file(size))]))
        replace_rates(connection, "bench", None, rows)
        connection.commit()
        imported_s, imported_mb = time.monotonic() - begun, resident_mb(os.getpid())
        copied_s = _copied_s(connection, size)
        add_account(connection, Account(account_id="acme", name="Acme", plan_id=None))
        assign(connection, "acme", "bench", from_ts=0, to_ts=None)
        begun = time.monotonic()
        tariffs = load_tariffs(connection)
        loaded_s, loaded_mb = time.monotonic() - begun, resident_mb(os.getpid()) - imported_mb
    (deck,) = tariffs.decks.values()
    asked = numbers(size, count)
    begun = time.process_time()
    found = [deck.match("outbound", number, AT) for number in asked]
    matched_s = time.process_time() - begun
    charges = [(Charge(direction="outbound", number=number, seconds=61),) for number in asked]
    begun = time.process_time()
    prices = [tariffs.price_charges("acme", AT, True, charge) for charge in charges]
    priced_s = time.process_time() - begun
    trie_s, trie_mb, longest = _trie(prefixes(size), asked)
    assert [rate.prefix if rate else None for rate in found] == longest
    assert [price.parts[0].rate_id for price in prices] == [rate.rate_id if rate else None for rate in found]
    of = f"{size:,} prefixes"
    return [
        Figure(what=f"{of}: import", value=imported_s, unit="s"),
        Figure(
            what=f"{of}: import, time against COPY of the file",
            value=imported_s / copied_s,
            unit=TIMES,
            bound=at_most(4) if size == SIZES[2] else None,
        ),
        Figure(what=f"{of}: memory of the process that imports", value=imported_mb, unit="MB"),
        Figure(what=f"{of}: load", value=loaded_s, unit="s", bound=at_most(2) if size == SIZES[1] else None),
        Figure(what=f"{of}: memory", value=loaded_mb, unit="MB"),
        Figure(what=f"{of}: match", value=matched_s / count * 1e6, unit="µs"),
        Figure(
            what=f"{of}: prices",
            value=count / priced_s,
            unit="/s",
            bound=at_least(300_000) if size == SIZES[1] else None,
        ),
        Figure(what=f"{of}: a match by marisa-trie, prefixes only", value=trie_s / count * 1e6, unit="µs"),
        Figure(what=f"{of}: marisa-trie's memory", value=trie_mb, unit="MB"),
        Figure(what=f"{of}: marisa-trie's time against ours", value=trie_s / matched_s, unit=TIMES),
    ]


def _copied_s(connection: Connection, size: int) -> float:
    """Return how long COPY takes for the same file into one table with an index, committed."""
    connection.execute("CREATE TABLE copied (prefix text PRIMARY KEY, per_min text, increment text, name text)")
    begun = time.monotonic()
    with connection.cursor().copy("COPY copied FROM STDIN (FORMAT csv, HEADER)") as copy:
        for line in deck_file(size):
            copy.write(line)
    connection.commit()
    return time.monotonic() - begun


def _trie(known: list[str], asked: list[str]) -> tuple[float, float, list[str | None]]:
    """Return the CPU time, the memory and the matches of marisa-trie, which finds all prefixes of a number it holds."""
    before_mb = resident_mb(os.getpid())
    trie = marisa_trie.RecordTrie("<l", zip(known, ((place,) for place in range(len(known))), strict=True))
    built_mb = resident_mb(os.getpid()) - before_mb
    begun = time.process_time()
    found = [trie.prefixes(number) for number in asked]
    took_s = time.process_time() - begun
    return took_s, built_mb, [max(some, key=len) if some else None for some in found]


def run(*, largest: int = SIZES[-1], count: int = 200_000) -> Iterator[Figure]:
    """Yield the figures of each deck of up to `largest` prefixes, for `count` numbers. Match and prices in CPU time."""
    for size in SIZES:
        if size <= largest:
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
                yield from process.submit(measure, size, count).result()
