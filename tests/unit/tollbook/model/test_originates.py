"""Rules of docs/calls.md on calls that the switch makes itself: who called, and whom."""

from tests.factories import created, ended
from tests.folded import rows, trunk
from tollbook.model.event import SwitchEvent

CUSTOMER = "15551230001"


def numbers(*events: SwitchEvent) -> tuple[str, str]:
    (row,) = rows(*events)
    return row.from_num, row.to_num


def customer_first(**facts: str) -> SwitchEvent:
    """The root of a dialler: it rings the customer over a trunk, and presents 4930555."""
    return trunk("root", "", number=CUSTOMER, caller="4930555", **facts)


def phone(uid: str, *, at_s: float = 1, **facts: str) -> SwitchEvent:
    return created(
        uid,
        at_s=at_s,
        **{"channel_direction": "outbound", "dialed": uid, "dialed_user": uid, "originator": "root"} | facts,
    )


def test_a_dialler_that_rings_the_customer_first_called_the_customer() -> None:
    """For an agent's phone, for a queue's agent, and for an IVR alike."""
    root = customer_first()
    end = ended(root, answered_s=1, hangup_s=9, dialed="7000")
    assert numbers(root, end) == ("4930555", CUSTOMER)
    user, agent = phone("1001"), phone("1002", cc_side="agent", cc_agent_type="callback", cc_member="root")
    assert numbers(root, user, ended(user, answered_s=2, hangup_s=9), end) == ("4930555", CUSTOMER)
    assert numbers(root, agent, ended(agent, answered_s=2, hangup_s=9), end) == ("4930555", CUSTOMER)


def test_a_dialler_that_connects_two_customers_has_both() -> None:
    root, other = customer_first(), trunk("other", "root", number="442071838750")
    events = [root, other, ended(other, answered_s=3, hangup_s=9), ended(root, answered_s=1, hangup_s=9)]
    assert numbers(*events) == (CUSTOMER, "442071838750")


def test_the_other_party_is_the_first_who_answered() -> None:
    """Else the first who was rung."""
    root, busy = phone("1000", at_s=0, originator=""), phone("1001", originator="1000")
    carrier = trunk("t", "1000", at_s=2, number=CUSTOMER)
    heard = [root, busy, carrier, ended(busy, hangup_s=2), ended(root, answered_s=1, hangup_s=9)]
    assert numbers(*heard, ended(carrier, answered_s=4, hangup_s=9)) == ("1000", CUSTOMER)
    assert numbers(*heard, ended(carrier, hangup_s=9)) == ("1000", "1001")


def test_loopback_pickup_agents_and_fifo_members_are_no_other_party() -> None:
    root = phone("1000", at_s=0, originator="")
    nobody = [
        phone("l", originator="1000", channel="loopback/app-a"),
        phone("p", originator="1000", channel="pickup/sales"),
        phone("a", originator="1000", cc_side="agent"),
        phone("f", originator="", fifo_bridge="1000"),
    ]
    ends = [ended(leg, answered_s=2, hangup_s=9) for leg in nobody]
    end = ended(root, answered_s=1, hangup_s=9, dialed="sip:7000;x=y@host")
    assert numbers(root, *nobody, *ends, end) == ("1000", "7000")
