"""What settles a call without a price, for each reason that the rate engine gives."""

import pytest

from rating.engine import AccountTariff, Assignment, Plan, Tariffs
from rating.remedy import Remedy, remedy
from tollbook.model.charge import BILLED_ELSEWHERE, UNKNOWN_REASON, Charge

CALL = Charge(direction="outbound", number="+4930123456", seconds=60)
EMPTY = Plan(plan_id="retail", currency="EUR", decks=())


def reason_of(account_id: str | None, *assignments: Assignment) -> str:
    """The engine's own words for an answered call of this account, which exists if it has assignments."""
    tariffs = Tariffs(accounts={"acme": AccountTariff(assignments=assignments)} if assignments else {})
    reason = tariffs.price_charges(account_id, 1_000, True, [CALL]).unrated
    assert reason is not None
    return reason


@pytest.mark.parametrize(
    ("reason", "kind", "helps"),
    [
        (reason_of(None), "no_account", "`tollbook account number add ACCOUNT NUMBER`"),
        (reason_of("acme"), "unknown_account", "`tollbook account add acme --plan PLAN`"),
        (reason_of("acme", Assignment(from_ts=0, plan=None)), "no_plan", "`tollbook account plan acme PLAN"),
        (reason_of("acme", Assignment(from_ts=2_000, plan=EMPTY)), "plan_begins_later", "`tollbook account plan acme`"),
        ("no rate for outbound +4930123456", "no_rate", "`tollbook rates import FILE --update"),
        ("no rate for outbound short code 112", "no_rate", "with a prefix for it"),
        ("no rate for outbound 4930…: the first that matches begins 2026-12-01, after the call", "rate_begins_later",
         "an earlier date"),
        ("no trunk prefix of numbering plan DE: outbound 0049", "unread_number", "`tollbook account numbering`"),
        ("the price is larger than can be stored: is a rate of the plan wrong?", "too_large", "mend the rate"),
        (BILLED_ELSEWHERE, "imported", "nothing is to be done"),
        (UNKNOWN_REASON, "unknown", "`tollbook rerate --unrated`"),
    ],
)  # fmt: skip
def test_each_reason_names_what_helps(reason: str, kind: str, helps: str) -> None:
    """As the engine gives it, or cut off where its number goes on."""
    found = remedy(reason, "acme")
    assert found.kind == kind
    assert helps in found.helps


def test_what_happened_names_the_number_and_when_its_rate_begins() -> None:
    """Of several reasons the first is told, for the next shows when that is settled."""
    late = "no rate for outbound 4930: the first that matches begins 2026-12-01 00:00, after the call"
    assert remedy(f"{late}; no rate for inbound 1", None) == Remedy(
        kind="rate_begins_later",
        what="no rate was valid then for outbound 4930: the first one begins 2026-12-01 00:00",
        helps="`tollbook rates import FILE --plan PLAN` with an earlier date for it, then `tollbook rerate --unrated`",
    )
    assert remedy("no rate for inbound 1212…", "a").what == "no prefix of the plan matches inbound 1212…"


def test_a_code_is_written_as_a_shell_takes_it() -> None:
    """It is whatever the switch was told."""
    assert "account add 'new'\"'\"'one' " in remedy("no such account", "new'one").helps
