"""Calls of some accounts over a hundred days."""

import random
from collections.abc import Callable, Sequence

from tests.databases import store
from tests.factories import Call, call
from tollbook.model.details import NO_DETAILS, Details
from tollbook.model.record import Record, Row
from tollbook.model.selection import Order
from tollbook.model.tiers import KEYED_COLUMNS, key_of
from tollbook.store import keys
from tollbook.store.database import Connection
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY

TODAY = 20_780  # 2026-11-23


FIRST = TODAY - 100  # days of calls: a hundred, thirty of which PostgreSQL is to keep


LATER = TODAY - 45  # fewer to prune, where that is not what is tested: each takes a tenth of a second


END = (TODAY + 1) * MS_PER_DAY


WORDS = ("answered", "no_answer", "busy")


DETAILED = (
    NO_DETAILS,
    Details(hung_up_by="switch", codec="PCMU", sip_call_id="1@a", voicemail=False, vars={"a": "b", "c": 'x"y\\'}),
    Details(
        hung_up_by="caller", codec="G722", sip_call_id='"2"@a', gateway="carrier", sip_status=503, voicemail=True,
        vars={"a": "b2", "d": '"a": "b"', "a.b": "ü"},
    ),
)  # fmt: skip


def made(count: int, *, seed: int = 1, first: int = FIRST) -> list[Call]:
    """Calls of some accounts, from a day on, many at the same millisecond, some with one id on two switches."""
    dice, others = random.Random(seed), random.Random(seed + 1)
    rows: list[Call] = []
    for number in range(count):
        start = first * MS_PER_DAY + dice.randrange((TODAY - first) * 24) * 3_600_000 + dice.randrange(3)
        call_id, switch = f"{dice.randrange(16**8):08x}-{number}", "sw1"
        if rows and dice.randrange(4) == 0:
            start, call_id, switch = rows[-1][0].key._replace(switch=f"sw{number}")
        rows.append(call(
            call_id, dice.choice(("acme", "acme", "other", None)), start, switch=switch,
            direction=dice.choice(("inbound", "outbound")), from_num=dice.choice(("1001", "+49301", "30%")),
            to_num=f"+4{dice.randrange(10**4)}", billsec=dice.randrange(100), disposition=dice.choice(WORDS),
            queue_id=dice.choice(("support", None)), cost_micros=dice.randrange(10**6),
            details=others.choice(DETAILED), trunk_root=others.randrange(2) == 0,
        ))  # fmt: skip
    return rows


def put(connection: Connection, rows: Sequence[Call]) -> None:
    for first in range(0, len(rows), 5000):
        store(connection, *rows[first : first + 5000])


def wanted(rows: Sequence[Call], keep: Callable[[Row], bool], order: Order = "desc") -> list[Record]:
    """What a walk must give, with the switch behind the public columns: sorted in Python by the keys."""
    found = [
        tuple(price.cost_micros if name == "cost_micros" else getattr(row, name) for name in KEYED_COLUMNS)
        for row, price in rows
        if keep(row)
    ]
    return sorted(found, key=key_of, reverse=order == "desc")


def api_key(connection: Connection, account: str) -> str:
    tariffs.add_account(connection, tariffs.Account(account_id=account, name=account, plan_id=None))
    return keys.create(connection, account_id=account, scopes=["cdr"])[1]
