"""Every filter says what it asks of a call; a prefix is a range of texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_app.calls.filters import FILTER_NAMES, FilterQuery
from tollbook.model.filters import (
    NO_FILTERS,
    AtLeast,
    Condition,
    Equals,
    Filters,
    HasNumber,
    HasVariable,
    IsNull,
    prefix_end,
)

CONDITIONS: dict[str, Condition] = {
    "direction": Equals("direction", "inbound"),
    "disposition": Equals("disposition", "busy"),
    "number": HasNumber(("from_num", "to_num"), "+49"),
    "queue_id": Equals("queue_id", "support"),
    "agent_id": Equals("agent_id", "anna"),
    "min_billsec": AtLeast("billsec", 0),
    "hung_up_by": Equals("hung_up_by", "callee"),
    "codec": Equals("codec", "PCMA"),
    "sip_call_id": Equals("sip_call_id", "a@b"),
    "gateway": Equals("gateway", "carrier"),
    "sip_status": Equals("sip_status", 486),
    "destination": Equals("destination", "Germany"),
    "voicemail": Equals("voicemail", False),
    "var": HasVariable("sip_h_X-Campaign", "a:b"),
    "hangup_cause": Equals("hangup_cause", "USER_BUSY"),
    "from_num": HasNumber(("from_num",), "+49"),
    "to_num": HasNumber(("to_num",), "+49"),
    "open": IsNull("end_ts", False),
}

texts = st.text(
    st.one_of(st.sampled_from("+0123456789\ud7ff\ue000\U0010ffff"), st.characters(exclude_categories=["Cs"]))
)


@pytest.mark.parametrize("name", [name for name in FILTER_NAMES if name != "account"])
def test_each_filter_is_a_condition_and_a_query_parameter(name: str) -> None:
    """So a filter that is added cannot be forgotten in either; 0 is a value like others."""
    condition = CONDITIONS[name]
    match condition:
        case HasNumber(_, value):
            pass
        case IsNull(_, value):
            pass
        case HasVariable(variable, wanted):
            value = f"{variable}:{wanted}"
        case _:
            value = condition.value
    assert list(Filters(**{name: value}).conditions()) == [condition]
    assert FilterQuery.model_validate({name: value}).filters == Filters(**{name: value})


def test_the_spellings_of_a_number_are_its_own_filters() -> None:
    """Each number has the others that it can be written as; an account is no condition, a cursor has no spelling."""
    filters = Filters(number="030", to_num="+49", account="acme")
    spelled = filters.with_spellings(lambda number: {number, f"1{number}", f"2{number}"})
    assert list(spelled.conditions()) == [
        HasNumber(("from_num", "to_num"), "030", ("1030", "2030")), HasNumber(("to_num",), "+49", ("1+49", "2+49")),
    ]  # fmt: skip
    assert spelled.without_spellings() == filters
    assert list(spelled.names()) == ["number", "to_num"]
    assert NO_FILTERS.with_spellings(lambda number: {number}) is NO_FILTERS


def test_without_filters_nothing_is_asked() -> None:
    """None stands for all calls."""
    assert list(NO_FILTERS.conditions()) == []
    assert FilterQuery().filters == NO_FILTERS


@given(texts.filter(bool), texts)
def test_a_prefix_is_a_range(prefix: str, other: str) -> None:
    """By code point, and so by the bytes of UTF-8: it holds the texts that begin with the prefix, and no others."""
    end = prefix_end(prefix)
    for text in (other, prefix + other):
        inside = text >= prefix and (end is None or text < end)
        assert inside == text.startswith(prefix)
        encoded = text.encode() >= prefix.encode() and (end is None or text.encode() < end.encode())
        assert encoded == inside


def test_the_last_prefix_has_no_end() -> None:
    """The range goes on to the last text there is; surrogates are skipped."""
    assert prefix_end("\U0010ffff") is None
    assert prefix_end("a\U0010ffff") == "b"
    assert prefix_end("\ud7ff") == "\ue000"
