"""What becomes of each CDR file of a batch."""

from typing import Any

from maintenance.recover.cdr_file import Outcome, ParsedFile, outcome_of
from maintenance.recover.cdr_folder import FileVersion
from tollbook.model.leg import Leg
from tollbook.store.calls.poison import Refused

VERSION = FileVersion(inode=1, bytes=2, written_ns=3)


def leg(uid: str) -> Leg:
    return Leg(switch="sw", uid=uid, created_us=1)


def file(name: str, **parsed: Any) -> ParsedFile:
    return ParsedFile(name=name, version=VERSION, **parsed)


def test_every_file_has_one_outcome() -> None:
    """Written, refused by the database, unreadable, too late, or still being written: none is forgotten."""
    written, bad, late = (file(name, leg=leg(name)) for name in ("written", "bad", "late"))
    no_json, half = file("no-json", problem="not JSON"), file("half")
    refused = [Refused(leg=leg("bad"), reason="a bad value"), Refused(leg=leg("late"), reason="too late", late=True)]
    assert outcome_of([written, bad, no_json, late, half], refused) == Outcome(
        done=[written],
        refused=[(bad, "a bad value"), (no_json, "not JSON")],
        late=[late],
        unfinished=[half],
    )


def test_two_files_of_one_leg_share_its_outcome() -> None:
    files = [file(name, leg=leg("1")) for name in ("a", "b")]
    outcome = outcome_of(files, [Refused(leg=leg("1"), reason="x")])
    assert outcome.refused == [(one, "x") for one in files]
