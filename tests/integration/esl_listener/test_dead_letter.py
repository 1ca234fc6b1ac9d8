"""A dead letter is kept once, whole, with its reason, and read back."""

from pathlib import Path

from esl_listener.dead_letter import DeadLetter, load_all, save_damaged, save_leg
from tollbook.model.leg import Facts, Leg

LEG = Leg(switch="fs", uid="a\n\x1b[2J", created_us=1_700_000_000_000_000, end=Facts(cause="NORMAL_CLEARING"))


def test_a_leg_and_its_reason_are_read_back(tmp_path: Path) -> None:
    path = save_leg(tmp_path / "dead-letters", LEG, "too large")
    assert list(load_all(tmp_path / "dead-letters")) == [DeadLetter(path=path, reason="too large", leg=LEG)]


def test_the_same_leg_is_kept_once_and_other_facts_beside_it(tmp_path: Path) -> None:
    """A replay refuses the same leg again; other facts about the same leg must not take its place."""
    assert save_leg(tmp_path, LEG, "one") == save_leg(tmp_path, LEG, "two")
    save_leg(tmp_path, Leg(switch="fs", uid=LEG.uid, created_us=LEG.created_us), "other facts")
    assert sorted(letter.reason for letter in load_all(tmp_path)) == ["other facts", "two"]


def test_damage_and_unreadable_files_are_listed(tmp_path: Path) -> None:
    save_damaged(tmp_path, b"\xff" * 12)
    (tmp_path / "leg-by-hand.json").write_text('{"reason": "half a fi')
    (tmp_path / "leg-x.part").write_text("being written")
    damaged, unreadable = load_all(tmp_path)
    assert damaged.reason == "12 damaged bytes of the spool"
    assert unreadable.reason.startswith("cannot be read: ")
    assert (damaged.leg, unreadable.leg) == (None, None)


def test_no_folder_is_nothing_kept(tmp_path: Path) -> None:
    assert list(load_all(tmp_path / "dead-letters")) == []
