"""What a re-rate changes, in calls and in money; two currencies are never added."""

from collections import Counter
from dataclasses import dataclass, field

from tollbook.store.tariffs.price_history import Replacement

NO_CURRENCY = "?"


@dataclass(kw_only=True, slots=True)
class Money:
    """Sums in one currency, in micros: what changed calls cost before, and after."""

    calls: int = 0
    before_micros: int = 0
    after_micros: int = 0


@dataclass(kw_only=True)
class RerateReport:
    """Sums over a run; memory goes with the number of currencies and accounts, not of calls."""

    looked_at: int = 0
    changed: int = 0
    archived: int = 0
    rated: int = 0
    unrated: int = 0
    money: dict[str, Money] = field(default_factory=dict[str, Money])
    accounts: Counter[str] = field(default_factory=Counter[str])

    def add(self, change: Replacement) -> None:
        """Count a call whose price was replaced."""
        before, after = change.call.price, change.price
        self.changed += 1
        self.archived += change.archived is not None
        self.rated += before.cost_micros is None and after.cost_micros is not None
        self.unrated += before.cost_micros is not None and after.cost_micros is None
        self.accounts[change.call.account_id or "(none)"] += 1
        currencies = {before.currency or NO_CURRENCY: (before.cost_micros or 0, 0)}
        was, _ = currencies.get(after.currency or NO_CURRENCY, (0, 0))
        currencies[after.currency or NO_CURRENCY] = (was, after.cost_micros or 0)
        for currency, (before_micros, after_micros) in currencies.items():
            if before_micros or after_micros or currency != NO_CURRENCY:
                money = self.money.setdefault(currency, Money())
                money.calls += 1
                money.before_micros += before_micros
                money.after_micros += after_micros
