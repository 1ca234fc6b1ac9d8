"""A whole statement for tests: name what is to be different."""

from msgspec.structs import replace

from tollbook.model.party import Party
from tollbook.model.statement_sums import LineKey, LineSums, PeriodSums
from tollbook.model.taxes import parse_taxes
from tollbook.statements.compute import Terms, TodaysSums, compute
from tollbook.statements.period import Period
from tollbook.statements.statement import Statement
from tollbook.times import instant


def statement(
    *,
    number: str | None = None,
    destination: str | None = "Germany",
    micros: int = 10_000_000,
    name: str = "Acme Ltd",
    lines: int = 1,
) -> Statement:
    """Return a statement of October 2026 with so many lines; issued, if it has a number."""
    terms = Terms(
        account_id="acme", zone="UTC", issuer=Party(name="Tele GmbH", address=("Straße 1", "Berlin"), tax_id="DE1"),
        recipient=Party(name=name), taxes=parse_taxes("VAT=19"),
    )  # fmt: skip
    names = [destination, *(f"Destination {place:05}" for place in range(1, lines))]
    sums = PeriodSums(
        lines={LineKey("outbound", each, "EUR"): LineSums(2, 90, micros) for each in names},
        unrated=LineSums(2, 65, 0),
        open=1,
    )
    period = Period(month="2026-10", from_ts=instant("2026-10-01"), until_ts=instant("2026-11-01"))
    draft = compute(terms, TodaysSums(periods=[period], sums=[sums], named=(), lost=frozenset(), erased=False), [])
    return draft if number is None else replace(draft, number=number, issued_ts=instant("2026-11-02"))
