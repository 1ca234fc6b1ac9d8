"""`switch_process`: the processes heard at an address, and the legs that they left open."""

import msgspec
import pytest

from rating.engine import Tariffs
from tollbook.errors import DataError
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Facts, Leg
from tollbook.store import health
from tollbook.store.calls.batch import write_batch
from tollbook.store.calls.switch_processes import SwitchProcess, note, open_legs
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions

T0 = 1_795_000_000_000_000
SECOND = 1_000_000


def life(core: str, seen_s: int, address: str = "fs:8021") -> SwitchProcess:
    return SwitchProcess(core=core, address=address, switch="fs", sequence=seen_s, seen_us=T0 + seen_s * SECOND)


def write(connection: Connection, *legs: Leg) -> None:
    write_batch(connection, legs, FoldSettings(), Tariffs().price, Partitions())


def up(uid: str, core: str) -> Leg:
    return Leg(switch="fs", uid=uid, created_us=T0, core=core, create=Facts(caller="1000", dialed="2000"))


def open_at(connection: Connection, address: str = "fs:8021") -> dict[str, int]:
    """Return the open legs by id, with their process's last sign of life in seconds after T0."""
    return {open_leg.leg.uid: (open_leg.seen_us - T0) // SECOND for open_leg in open_legs(connection, address)}


def test_nothing_is_held_for_an_address_that_was_never_heard(database: Connection) -> None:
    write(database, up("x", "a"))
    note(database, [])
    assert open_at(database) == {}


def test_open_legs_of_every_process_at_the_address_are_held_with_its_last_sign(database: Connection) -> None:
    note(database, [life("a", 0)])
    note(database, [life("a", 20), life("b", 60), life("c", 5, "other:8021")])
    write(database, up("of-a", "a"), up("of-b", "b"), up("of-c", "c"))
    assert open_at(database) == {"of-a": 20, "of-b": 60}
    assert open_at(database, "other:8021") == {"of-c": 5}


def test_a_leg_that_ended_is_not_held_and_comes_back_whole_before(database: Connection) -> None:
    note(database, [life("a", 0)])
    leg = up("x", "a")
    write(database, leg)
    assert [open_leg.leg for open_leg in open_legs(database, "fs:8021")] == [leg]
    write(database, msgspec.structs.replace(leg, end=Facts(hangup_us=T0 + SECOND)))
    assert open_at(database) == {}


def test_an_older_sign_that_comes_late_moves_nothing_back(database: Connection) -> None:
    note(database, [life("a", 20)])
    note(database, [life("a", 0)])
    write(database, up("x", "a"))
    assert open_at(database) == {"x": 20}


def test_the_event_with_the_greatest_number_is_the_last_sign(database: Connection) -> None:
    """Whatever its clock: one that once jumped an hour ahead does not make every open call an hour longer."""
    note(database, [msgspec.structs.replace(life("a", 3600), sequence=20)])
    note(database, [msgspec.structs.replace(life("a", 30), sequence=21)])
    note(database, [msgspec.structs.replace(life("a", 25), sequence=19)])
    write(database, up("x", "a"))
    assert open_at(database) == {"x": 30}


def test_sessions_unheard_add_up_for_doctor(database: Connection) -> None:
    for seen_s, unheard in ((0, 2), (20, 0), (40, 3)):
        note(database, [msgspec.structs.replace(life("a", seen_s), unheard=unheard)])
    assert health.unheard(database, "fs:8021") == 5
    note(database, [life("b", 60)])
    assert health.unheard(database, "fs:8021") == 0, "the newest process counts"
    assert health.unheard(database, "nobody:1") == 0


def test_a_process_that_moved_is_held_at_its_new_address(database: Connection) -> None:
    """The switch has another address in TOLLBOOK_ESL: its calls are reconciled there."""
    note(database, [life("a", 0)])
    note(database, [life("a", 20, "new:8021")])
    write(database, up("x", "a"))
    assert open_at(database) == {}
    assert open_at(database, "new:8021") == {"x": 20}


def test_hostile_names_stay_values(database: Connection) -> None:
    odd = "x\"}\\'; DROP TABLE switch_process; --"
    note(database, [SwitchProcess(core=odd, address=odd, switch=odd, sequence=1, seen_us=T0)])
    write(database, up(odd, odd))
    assert open_at(database, odd) == {odd: 0}


def test_a_value_that_postgresql_refuses_is_a_data_error(database: Connection) -> None:
    with pytest.raises(DataError):
        note(database, [SwitchProcess(core="x", address="a\0", switch="fs", sequence=1, seen_us=T0)])
