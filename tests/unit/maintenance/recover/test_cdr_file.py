"""What becomes of each CDR file of a batch."""

from maintenance.recover.cdr_file import Outcome, ParsedFile, outcome_of
from tollbook.model.leg import Leg
from tollbook.store.calls.batch import Refused


def leg(uid: str) -> Leg:
    return Leg(switch="sw", uid=uid, created_us=1)


def test_every_file_has_one_outcome() -> None:
    """Written, refused by the database, unreadable, too late, or still being written: none is forgotten."""
    written, bad, late = "written", "bad", "late"
    files = [
        ParsedFile(name=written, leg=leg("1")),
        ParsedFile(name=bad, leg=leg("2")),
        ParsedFile(name="no-json", problem="not JSON"),
        ParsedFile(name=late, leg=leg("3")),
        ParsedFile(name="half"),
    ]
    refused = [Refused(leg=leg("2"), reason="a bad value"), Refused(leg=leg("3"), reason="too late", late=True)]
    assert outcome_of(files, refused) == Outcome(
        done=[written],
        refused={bad: "a bad value", "no-json": "not JSON"},
        late=[late],
        unfinished=["half"],
    )


def test_two_files_of_one_leg_share_its_outcome() -> None:
    files = [ParsedFile(name=name, leg=leg("1")) for name in ("a", "b")]
    assert outcome_of(files, [Refused(leg=leg("1"), reason="x")]).refused.keys() == {"a", "b"}
