"""What a re-rate changed, in calls and in money, and how it is printed. Two currencies are never added."""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from tollbook.log import printable
from tollbook.store.tariffs.price_history import Replacement

NO_CURRENCY = "?"
_SHOWN_ACCOUNTS = 20


@dataclass(kw_only=True, slots=True)
class Money:
    """Sums in one currency, in micros: what the changed calls cost before, and after."""

    calls: int = 0
    before_micros: int = 0
    after_micros: int = 0


@dataclass(kw_only=True)
class RerateReport:
    """Sums over a run; they grow with the number of currencies and accounts, not of calls.

    `archived`: changed calls that PostgreSQL no longer had. `rated` and `unrated`: calls that got or lost a price.
    """

    dry_run: bool
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

    def __str__(self) -> str:
        """Return it as lines: the calls, a table of the money, the accounts."""
        verb = "would change" if self.dry_run else "changed"
        lines = [f"{self.looked_at} answered calls looked at, {self.changed} {verb}"]
        if self.rated or self.unrated:
            lines.append(f"now rated: {self.rated}; no longer rated: {self.unrated}")
        lines += [*self._money_lines(), *self._account_lines()]
        if self.archived:
            will = "would be" if self.dry_run else "are"
            lines.append(f"{self.archived} of them {will} corrected in the archive by the next `tollbook archive run`")
        if self.dry_run:
            lines.append("nothing was changed")
        return "\n".join(lines)

    def _money_lines(self) -> list[str]:
        if not self.money:
            return []
        lines = [f"{'currency':<10}{'calls':>10}{'before':>20}{'after':>20}{'difference':>20}"]
        for currency, money in sorted(self.money.items()):
            amounts = (money.before_micros, money.after_micros, money.after_micros - money.before_micros)
            lines.append(f"{currency:<10}{money.calls:>10}" + "".join(f"{_units(micros):>20}" for micros in amounts))
        return lines

    def _account_lines(self) -> list[str]:
        shown = self.accounts.most_common(_SHOWN_ACCOUNTS)
        lines = [f"  account {printable(account)}: {calls} calls" for account, calls in shown]
        if len(self.accounts) > len(shown):
            lines.append(f"  and {len(self.accounts) - len(shown)} more accounts")
        return lines


def _units(micros: int) -> str:
    """Return micros as units of a currency, with all six decimal places."""
    return f"{Decimal(micros).scaleb(-6):,.6f}"
