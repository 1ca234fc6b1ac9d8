"""Prices a second: decks of a thousand, a hundred thousand and a million prefixes, and a trie on the same matches.

A deck is written to a file, imported into PostgreSQL, and copied into one table from the same file. A process of its
own, whose garbage is collected as the listener's, loads the deck, and prices numbers in batches of a listener's size;
nine of ten have a rate. Neither the making of numbers and files nor the checks of what was found are timed.
"""

import gc
import multiprocessing
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final, ParamSpec

import marisa_trie

from benchmarks.database import database
from benchmarks.figure import TIMES, Figure, at_least, at_most
from benchmarks.processes import highest_mb, resident_mb
from esl_listener.service import COLLECT_AFTER
from rating.deck_csv import parse_deck
from rating.loader import load_tariffs
from tollbook.model.charge import Charge
from tollbook.store.database import Connection, connect
from tollbook.store.tariffs.accounts import assign
from tollbook.store.tariffs.deck_import import replace_rates
from tollbook.store.tariffs.tariffs import Account, add_account

SIZES = (1_000, 100_000, 1_000_000)
AT = 1_800_000_000_000
BATCH: Final = 500
_BLOCK: Final = 64 * 1024

_P = ParamSpec("_P")


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


def import_deck(url: str, path: Path, size: int) -> list[Figure]:
    """Return what it takes to import a file, and to COPY the same file into one table."""
    with connect(url, name="bench") as connection:
        begun = time.monotonic()
        with path.open(encoding="utf-8", newline="") as lines:
            replace_rates(connection, "bench", None, parse_deck([("", lines)]))
        connection.commit()
        imported_s, imported_mb = time.monotonic() - begun, highest_mb(os.getpid())
        copied_s = statistics.median(_copied_s(connection, path) for _ in range(3))
    of = f"{size:,} prefixes"
    return [
        Figure(what=f"{of}: import", value=imported_s, unit="s"),
        Figure(
            what=f"{of}: import, time against COPY of the file",
            value=imported_s / copied_s,
            unit=TIMES,
            bound=at_most(4) if size == SIZES[2] else None,
        ),
        Figure(what=f"{of}: memory of the process that imports, highest", value=imported_mb, unit="MB"),
    ]


def price_numbers(url: str, size: int, count: int) -> list[Figure]:
    """Return how quick rates are loaded, found and applied, and check each match and each price."""
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    before_mb = resident_mb(os.getpid())
    with connect(url, name="bench") as connection:
        begun = time.monotonic()
        tariffs = load_tariffs(connection)
        loaded_s, loaded_mb = time.monotonic() - begun, resident_mb(os.getpid()) - before_mb
    (deck,) = tariffs.decks.values()
    asked = numbers(size, count)
    begun = time.process_time()
    found = [deck.match("outbound", number, AT) for number in asked]
    matched_s = time.process_time() - begun
    rate_ids: list[int | None] = []
    priced_s = 0.0
    for place in range(0, count, BATCH):
        # Made just before, as the fold makes them.
        batch = asked[place : place + BATCH]
        charges = [(Charge(direction="outbound", number=number, seconds=61),) for number in batch]
        begun = time.process_time()
        prices = [tariffs.price_charges("acme", AT, True, charge) for charge in charges]
        priced_s += time.process_time() - begun
        rate_ids += [price.parts[0].rate_id for price in prices]
    trie_s, trie_mb, longest = _trie(prefixes(size), asked)
    assert [rate.prefix if rate else None for rate in found] == longest
    assert rate_ids == [rate.rate_id if rate else None for rate in found]
    of = f"{size:,} prefixes"
    return [
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


def _copied_s(connection: Connection, path: Path) -> float:
    """Return how long COPY takes for the same file into one table with an index, committed."""
    connection.execute("DROP TABLE IF EXISTS copied")
    connection.execute("CREATE TABLE copied (prefix text PRIMARY KEY, per_min text, increment text, name text)")
    connection.commit()
    begun = time.monotonic()
    with path.open("rb") as file, connection.cursor().copy("COPY copied FROM STDIN (FORMAT csv, HEADER)") as copy:
        while block := file.read(_BLOCK):
            copy.write(block)
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
            with database() as settings:
                url = settings.require_database_url()
                path = settings.data_dir / "deck.csv"
                path.write_text("".join(deck_file(size)), encoding="utf-8")
                yield from _in_a_process(import_deck, url, path, size)
                with connect(url, name="bench") as connection:
                    add_account(connection, Account(account_id="acme", name="Acme", plan_id=None))
                    assign(connection, "acme", "bench", from_ts=0, to_ts=None)
                    connection.commit()
                yield from _in_a_process(price_numbers, url, size, count)


def _in_a_process(measure: Callable[_P, list[Figure]], *arguments: _P.args, **named: _P.kwargs) -> list[Figure]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(measure, *arguments, **named).result()
