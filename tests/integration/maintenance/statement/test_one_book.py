"""Rows, archive, cubes and statements are one book: equal to the micro, whatever happened to the calls."""

import random
from dataclasses import dataclass, field

import pytest

from maintenance.sums.run import build_unbuilt
from tests.integration.maintenance.statement.months import AUGUST, OCTOBER, SEPTEMBER, Book, at, lines_of
from tollbook.model.accounts import OneAccount
from tollbook.model.selection import Selection
from tollbook.store import row_security
from tollbook.store.database import Connection, connect
from tollbook.store.sums.read import sum_cubes
from tollbook.store.sums.rollup import roll_up
from tollbook.times import MS_PER_DAY, written

MONTHS = (AUGUST, SEPTEMBER, OCTOBER)
BOUNDS = [at("2026-08-01"), at("2026-09-01"), at("2026-10-01"), at("2026-11-01")]


@dataclass
class Truth:
    """What every call is at present, by its name: what the test itself has written."""

    calls: dict[str, tuple[str, str, int, str | None]] = field(default_factory=dict)

    def sums(self, account: str, month: str) -> dict[tuple[str, str | None], tuple[int, int, int]]:
        """Calls, seconds and micros by direction and destination."""
        found: dict[tuple[str, str | None], list[int]] = {}
        for of, start, cost, destination in self.calls.values():
            if of == account and start.startswith(month):
                line = found.setdefault(("outbound", destination), [0, 0, 0])
                line[0], line[1], line[2] = line[0] + 1, line[1] + 60, line[2] + cost
        return {key: (calls, billsec, micros) for key, (calls, billsec, micros) in found.items()}


def change_something(book: Book, truth: Truth, chance: random.Random) -> None:
    """Write a new call, or a known one anew: with another price, another destination, or of another account."""
    name = f"c{chance.randrange(40)}"
    known = truth.calls.get(name)
    start = known[1] if known else written(chance.randrange(BOUNDS[0], BOUNDS[-1] - MS_PER_DAY))
    account, cost = chance.choice(["acme", "acme", "acme", "other"]), chance.randrange(10**7)
    destination = chance.choice(["Germany", "France"])
    book.put(name, start, cost, account_id=account, destination=destination)
    truth.calls[name] = (account, start, cost, destination)


def cubes(connection: Connection, account: str, place: int) -> dict[str | None, tuple[int, int, int]]:
    """What the cubes hold of a month, by destination."""
    selection = Selection(accounts=OneAccount(account), since=BOUNDS[place], until=BOUNDS[place + 1])
    with row_security.snapshot(connection):
        found = sum_cubes(connection, selection, ["destination"], limit=100)
    assert not isinstance(found, str), found
    return {
        destination: (sums.calls, sums.billsec, sum(micros for _, micros in sums.cost))
        for (destination,), sums in found.groups
    }


@pytest.mark.parametrize("steps", [25, pytest.param(120, marks=pytest.mark.soak)])
def test_after_any_history(book: Book, database_url: str, steps: int) -> None:
    """Drafts and the test's own sums agree at each step; in the end cubes, and all statements together, do, too."""
    seed = random.SystemRandom().randrange(10**9)
    chance, truth, due = random.Random(seed), Truth(), list(MONTHS)
    for step in range(steps):
        change_something(book, truth, chance)
        match chance.randrange(8):
            case 0:
                book.archive()
            case 1:
                book.prune()
            case 2:
                roll_up(book.database)
            case 3 if len(due) > 1:
                book.issue(due.pop(0))
            case _:
                continue
        for month in MONTHS:
            for account in ("acme", "other"):
                sums = truth.sums(account, month)
                said = f"seed {seed}, step {step}, {month}, {account}"
                if account == "other" or month in due:
                    assert lines_of(book.show(month, account)) == sums, said
    for month in due:
        book.issue(month)
    roll_up(book.database)
    build_unbuilt(book.settings)  # days whose calls were written anew after they were pruned
    with connect(database_url, name="test", autocommit=True) as reader:
        for place, month in enumerate(MONTHS):
            for account in ("acme", "other"):
                by_destination = {key[1]: line for key, line in truth.sums(account, month).items()}
                assert cubes(reader, account, place) == by_destination, f"seed {seed}, {month}, {account}"
    charged: dict[str, dict[tuple[str, str | None], list[int]]] = {}
    for issued in book.issuer.list_issued("acme"):
        for line in issued.statement.lines:
            sums = charged.setdefault(line.month, {}).setdefault((line.direction, line.destination), [0, 0, 0])
            for place, more in enumerate((line.calls, line.billsec, line.amount_micros)):
                sums[place] += more
    for month in MONTHS:
        expected = truth.sums("acme", month)
        found = {key: tuple(sums) for key, sums in charged.get(month, {}).items() if any(sums)}
        assert found == expected, f"seed {seed}, {month}"
