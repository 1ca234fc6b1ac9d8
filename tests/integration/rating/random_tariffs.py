"""Random plans and accounts, equal in a database (by the product's imports) and in the reference; random calls."""

from dataclasses import dataclass, replace
from random import Random

from rating.deck_csv import parse_deck
from rating.engine import Tariffs
from rating.loader import load_tariffs
from tests.integration.rating.random_decks import MOMENTS, OWN_NUMBERS, SHORT_CODES, SUBSCRIBERS, as_files, random_deck
from tests.integration.rating.reference import BEGINNING, Account, Part, Plan, Reference
from tests.integration.rating.reference_numbering import NUMBERING
from tollbook.store.database import Connection
from tollbook.store.tariffs import accounts, tariffs
from tollbook.store.tariffs.deck_import import replace_rates

# A plan, its currency and its base; a plan stands after its base. Amounts in rials reach the largest that is imported.
_PLANS = [
    ("retail", "EUR", None), ("special", "EUR", "retail"), ("vip", "EUR", "special"), ("dollars", "USD", None),
    ("rials", "IRR", None), ("few rials", "IRR", "rials"),
]  # fmt: skip
_GARBAGE = ["", "+", "anonymous", "*97", "*9712125550100", "++442079460000", "44+20", "٠١٢", "1#2", "#", "0" * 33]
# Around increments; and at the largest price of a minute just less than can be stored, just more, and much more.
_SECONDS = [0, 0, 1, 5, 6, 7, 29, 30, 31, 59, 60, 61, 3599, 3600, 3601, 553_402, 553_403, 10**8, 10**8]


@dataclass(frozen=True)
class Call:
    """What a call is priced by."""

    account_id: str | None
    at_ms: int
    answered: bool
    parts: tuple[Part, ...]


class RandomTariffs:
    """A random world: the same tariffs in a database and in the reference."""

    def __init__(self, connection: Connection, random: Random) -> None:
        self._connection = connection
        self._random = random
        self.reference = Reference()
        for plan, currency, base in _PLANS:
            self._import(plan, currency, base)
        for number in range(12):
            self._add_account(f"account {number}")
        before = load_tariffs(connection)
        # A listener takes over the decks that have not changed since.
        for plan, currency, base in random.sample(_PLANS, 4):
            self._import(plan, currency, base) if random.random() < 0.3 else self._update(plan)
        for account_id in random.sample(sorted(self.reference.accounts), 6):
            self._assign(account_id)
        self.tariffs: Tariffs = load_tariffs(connection, before)

    def _import(self, plan: str, currency: str, base: str | None) -> None:
        deck = random_deck(self._random, currency, self._random.randint(4, 40))
        if self._random.random() < 0.1:
            base = None
        rows = parse_deck(as_files(self._random, deck))
        replace_rates(self._connection, plan, currency, rows, base=base or "")
        self.reference.plans[plan] = Plan(currency=currency, base=base, rates=tuple(deck))

    def _update(self, plan: str) -> None:
        before = self.reference.plans[plan]
        notice = random_deck(self._random, before.currency, self._random.randint(1, 10))
        # Half of a notice is about prefixes that the plan has.
        notice += [
            replace(self._random.choice(notice), direction=direction, prefix=prefix)
            for direction, prefix in {rate.key for rate in self._random.sample(before.rates, 3)}
            - {rate.key for rate in notice}
        ]
        rows = parse_deck(as_files(self._random, notice))
        replace_rates(self._connection, plan, None, rows, update=True)
        self.reference.plans[plan] = before.updated(notice)

    def _add_account(self, account_id: str) -> None:
        plan = self._plan()
        account = Account(numbering=self._random.choice([None, None, "US", "GB", "IT", *NUMBERING]))
        at_once = self._random.random() < 0.5
        tariffs.add_account(
            self._connection,
            tariffs.Account(
                account_id=account_id,
                name=account_id,
                plan_id=plan,
                numbering_id=account.numbering if at_once else None,
            ),
        )
        if not at_once:
            accounts.set_numbering(self._connection, account_id, account.numbering)
        if plan is not None:
            account.assign(plan, BEGINNING)
        self.reference.accounts[account_id] = account
        for _ in range(self._random.randint(0, 3)):
            self._assign(account_id)
        if self._random.random() < 0.2:
            accounts.set_disabled(self._connection, account_id, disabled=True)

    def _assign(self, account_id: str) -> None:
        plan = self._plan()
        from_ts, to_ts = sorted(self._random.sample(MOMENTS, 2))
        to_ts = to_ts if self._random.random() < 0.5 else None
        accounts.assign(self._connection, account_id, plan, from_ts=from_ts, to_ts=to_ts)
        self.reference.accounts[account_id].assign(plan, from_ts, to_ts)

    def _plan(self) -> str | None:
        # Those on a base more often: they have the rates of all.
        return self._random.choice([None, "vip", "few rials", *(plan for plan, _, _ in _PLANS)])

    def call(self) -> Call:
        """Return a random call, of which many begin as something of the tariffs begins or ends."""
        random = self._random
        account_id = random.choice(sorted(self.reference.accounts)) if random.random() < 0.97 else None
        if random.random() < 0.01:
            account_id = "nobody"
        at_ms = random.choice(MOMENTS) + random.choice([-1, 0, 0, 1, random.randint(0, 10**10)])
        answered = random.random() < 0.95
        parts = [self._part(account_id) for _ in range(random.choice([0, 1, 1, 1, 1, 2, 2, 3]))] if answered else []
        return Call(account_id, at_ms, answered, tuple(parts))

    def _part(self, account_id: str | None) -> Part:
        random = self._random
        account = self.reference.accounts.get(account_id) if account_id is not None else None
        direction = random.choice(["outbound", "outbound", "outbound", "inbound", "internal"])
        seconds = random.choice(_SECONDS) if random.random() < 0.5 else random.randint(0, 4000)
        if direction == "outbound":
            return direction, _dialled(random, account.numbering if account else None), seconds
        number = random.choice(OWN_NUMBERS if random.random() < 0.9 else _GARBAGE)
        return direction, _written(random, random.choice(["", "+"]) + number), seconds


def _dialled(random: Random, numbering: str | None) -> str:
    """Return something that an account dials; most of it has a reading in its numbering plan, if it has one."""
    if random.random() < 0.05:
        return random.choice(_GARBAGE)
    plan = NUMBERING[numbering if numbering and random.random() < 0.9 else random.choice(sorted(NUMBERING))]
    own = [number for number in SUBSCRIBERS if plan.country_code and number.startswith(plan.country_code)]
    subscriber = random.choice(own if own and random.random() < 0.5 else SUBSCRIBERS)
    subscriber = subscriber[:-2] + "".join(random.choices("0123456789", k=random.choice([2] * 8 + [1, 3])))
    service = random.choice(plan.service) if numbering and random.random() < 0.15 else ""
    if random.random() < 0.15:
        return _written(random, service + random.choice(SHORT_CODES))
    forms = ["+" + subscriber, _carrier(random, random.choice(plan.international)) + subscriber]
    if numbering is None:
        forms += [subscriber] * 4
    if plan.country_code and subscriber.startswith(plan.country_code):
        forms += [
            _carrier(random, prefix) + subscriber.removeprefix(plan.country_code) for prefix in (*plan.national, "")
        ]
    return _written(random, service + random.choice(forms))


def _carrier(random: Random, prefix: str) -> str:
    """Return a prefix of a numbering plan with a carrier's digits in it."""
    digits = {"X": "0123456789", "Z": "123456789"}
    return "".join(random.choice(digits.get(character, character)) for character in prefix)


def _written(random: Random, number: str) -> str:
    """Return a number: in one of three with separators anywhere, and now and then with a # at its end."""
    if random.random() < 0.03:
        number += "#"
    if random.random() < 0.67:
        return number
    return "".join(random.choice(["", "", *" -.()/"]) + character for character in number)
