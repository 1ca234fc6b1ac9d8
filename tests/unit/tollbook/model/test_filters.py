"""Every filter says what it asks of a call; a prefix is a range of texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_app.calls.filters import FilterQuery
from tollbook.model.filters import NO_FILTERS, AtLeast, BeginsWith, Condition, Equals, Filters, prefix_end

CONDITIONS: dict[str, Condition] = {
    "direction": Equals("direction", "inbound"),
    "disposition": Equals("disposition", "busy"),
    "number": BeginsWith(("from_num", "to_num"), "+49"),
    "queue_id": Equals("queue_id", "support"),
    "agent_id": Equals("agent_id", "anna"),
    "min_billsec": AtLeast("billsec", 0),
}

texts = st.text(
    st.one_of(st.sampled_from("+0123456789\ud7ff\ue000\U0010ffff"), st.characters(exclude_categories=["Cs"]))
)


@pytest.mark.parametrize("name", Filters.__struct_fields__)
def test_each_filter_is_a_condition_and_a_query_parameter(name: str) -> None:
    """So a filter that is added cannot be forgotten in either; 0 is a value like others."""
    condition = CONDITIONS[name]
    value = condition.prefix if isinstance(condition, BeginsWith) else condition.value
    assert list(Filters(**{name: value}).conditions()) == [condition]
    assert FilterQuery.model_validate({name: value}).filters == Filters(**{name: value})


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
