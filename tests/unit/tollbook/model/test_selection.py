"""A prefix is a range of texts."""

from hypothesis import given
from hypothesis import strategies as st

from tollbook.model.selection import behind_prefix

texts = st.text(
    st.one_of(st.sampled_from("+0123456789\ud7ff\ue000\U0010ffff"), st.characters(exclude_categories=["Cs"]))
)


@given(texts.filter(bool), texts)
def test_a_prefix_is_a_range(prefix: str, text: str) -> None:
    """By code point, and so by the bytes of UTF-8: in it lies what begins so, and nothing else."""
    behind = behind_prefix(prefix)
    for one in (text, prefix + text):
        inside = one >= prefix and (behind is None or one < behind)
        assert inside == one.startswith(prefix)
        encoded = one.encode() >= prefix.encode() and (behind is None or one.encode() < behind.encode())
        assert encoded == inside


def test_behind_the_last_there_is_nothing() -> None:
    """So the range has no end."""
    assert behind_prefix("\U0010ffff") is None
    assert behind_prefix("a\U0010ffff") == "b"
    assert behind_prefix("\ud7ff") == "\ue000"
