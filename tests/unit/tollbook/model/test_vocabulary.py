"""The closed lists keep their order: sums have the places of directions and dispositions (`tollbook.store.sums`)."""

from tollbook.model.vocabulary import DIRECTIONS, DISPOSITIONS


def test_a_value_keeps_its_place() -> None:
    """A new value goes to the end: whatever was summed under a place stays what it was."""
    assert DIRECTIONS[:3] == ("inbound", "outbound", "internal")
    assert DISPOSITIONS[:8] == (
        "answered", "busy", "no_answer", "rejected", "cancelled", "failed", "abandoned", "lost",
    )  # fmt: skip
