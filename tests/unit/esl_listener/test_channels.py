"""Open legs against the channels of a switch, with the replies that a real one gave."""

import json
from collections.abc import Callable, Mapping

import pytest

from esl_listener.channels import compare_channels, parse_channel_list
from esl_listener.decoder import Decoder
from tests.paths import PROTOCOL
from tollbook.model.leg import FROM_LOOK, Facts, Leg
from tollbook.store.calls.switch_processes import OpenLeg

LIVE = (PROTOCOL / "show_channels_live.json").read_text()
NONE = (PROTOCOL / "show_channels_none.json").read_text()
DUMPS = {
    json.loads(path.read_text())["Unique-ID"]: path.read_text() for path in sorted(PROTOCOL.glob("uuid_dump_*.json"))
}
DECODER = Decoder("accountcode", "cdr_parent")
T0 = 1_795_434_000_000_000
NO_LIST = [
    "",
    "-ERR no reply",
    "-USAGE: x",
    "null",
    "5",
    "[]",
    '{"rows":[]}',
    '{"row_count":1,"rows":5}',
    "[" * 100_000,
]


class Api:
    """A switch that answers by a script, and what it was asked."""

    def __init__(self, listing: str, exists: Mapping[str, str] | None = None, dumps: Mapping[str, str] = DUMPS) -> None:
        self.asked: list[str] = []
        self._listing, self._exists, self._dumps = listing, exists or {}, dumps

    def __call__(self, command: str) -> str:
        self.asked.append(command)
        match command.split(" "):
            case ["show", "channels", "as", "json"]:
                return self._listing
            case ["uuid_dump", uid, "json"]:
                return self._dumps.get(uid, "-ERR No such channel!\n")
            case ["uuid_exists", uid]:
                return self._exists.get(uid, "true")
            case _:
                raise AssertionError(f"not a command: {command!r}")

    def to(self, name: str) -> list[str]:
        return sorted(command.split(" ")[1] for command in self.asked if command.startswith(name))


def open_leg(uid: str, *, created: bool = True, created_us: int = 0, recovered: bool = False) -> OpenLeg:
    """A leg that is held open; one that the switch lists began when the list says."""
    began_us = created_us or (int(json.loads(DUMPS[uid])["Caller-Channel-Created-Time"]) if uid in DUMPS else T0)
    said = Facts(dialed="1", recovered=recovered) if created else None
    return OpenLeg(leg=Leg(switch="fs-lab", uid=uid, created_us=began_us, create=said), seen_us=T0)


def listing(*rows: object) -> str:
    return json.dumps({"row_count": len(rows), "rows": rows})


def test_the_ids_are_read_from_what_a_switch_lists() -> None:
    created_s = {uid: int(json.loads(dump)["Caller-Channel-Created-Time"]) // 1_000_000 for uid, dump in DUMPS.items()}
    assert parse_channel_list(LIVE) == created_s
    assert len(DUMPS) == 4
    assert parse_channel_list(NONE) == {}


@pytest.mark.parametrize("second", [None, "", "x", -5, "1.5", [], {}, "9" * 30, "²", True])
def test_a_second_that_is_none_leaves_its_channel_in_the_list(second: object) -> None:
    """It is then unknown when the channel began, and its dump says so."""
    assert parse_channel_list(listing({"uuid": "a", "created_epoch": second})) == {"a": 0}


@pytest.mark.parametrize("reply", NO_LIST, ids=range(len(NO_LIST)))
def test_what_is_no_list_is_not_taken_for_an_empty_one(reply: str) -> None:
    assert parse_channel_list(reply) is None


@pytest.mark.parametrize("reply", NO_LIST, ids=range(len(NO_LIST)))
def test_a_list_that_fails_concludes_nothing(reply: str) -> None:
    """Nothing is denied, for nothing else is even asked."""
    api = Api(reply, exists={"a": "false"})
    assert compare_channels(api, DECODER, [open_leg("a")], "fs") is None
    assert api.asked == ["show channels as json"]


def test_channels_that_nobody_heard_of_are_dumped() -> None:
    api = Api(LIVE)
    found = compare_channels(api, DECODER, [], "fs")
    assert found is not None
    assert {leg.uid for leg in found.new_legs} == set(DUMPS)
    assert api.to("uuid_dump") == sorted(DUMPS)
    assert found.denied == ()
    for leg in found.new_legs:
        assert leg.switch == "fs-lab"
        assert leg.look is not None
        assert leg.look.source == FROM_LOOK
        assert leg.create is leg.end is None
        assert leg.created_us > T0


def test_a_switch_that_does_not_say_its_name_has_that_of_its_connection() -> None:
    unnamed = {uid: dump.replace("FreeSWITCH-Switchname", "no name") for uid, dump in DUMPS.items()}
    found = compare_channels(Api(LIVE, dumps=unnamed), DECODER, [], "192.0.2.1:8021")
    assert found is not None
    assert {leg.switch for leg in found.new_legs} == {"192.0.2.1:8021"}


def test_a_dumped_leg_hangs_under_its_parent() -> None:
    found = compare_channels(Api(LIVE), DECODER, [], "fs")
    assert found is not None
    parents = {leg.uid: leg.look.parent.uid if leg.look and leg.look.parent else None for leg in found.new_legs}
    roots = {uid for uid, parent in parents.items() if parent is None}
    assert len(roots) == 2
    assert {parent for parent in parents.values() if parent} == roots


def test_known_channels_are_not_dumped_again() -> None:
    known, *others = sorted(DUMPS)
    api = Api(LIVE)
    compare_channels(api, DECODER, [open_leg(known)], "fs")
    assert api.to("uuid_dump") == others


def test_a_leg_of_which_only_the_answer_was_heard_is_dumped() -> None:
    known = min(DUMPS)
    api = Api(LIVE)
    compare_channels(api, DECODER, [open_leg(known, created=False)], "fs")
    assert known in api.to("uuid_dump")


def test_open_legs_that_the_switch_denies_are_reported() -> None:
    """A listed one too: a zombie stays listed for ever."""
    gone, zombie, alive = open_leg("gone"), open_leg(min(DUMPS)), open_leg(max(DUMPS))
    api = Api(LIVE, exists={"gone": "false\n", zombie.leg.uid: "false"})
    found = compare_channels(api, DECODER, [gone, zombie, alive], "fs")
    assert found is not None
    assert found.denied == (gone, zombie)
    assert found.alive == (alive,)
    assert found.replaced == ()


def test_an_id_that_is_used_again_is_dumped_and_its_old_life_is_replaced() -> None:
    """The switch lists the id, and says that it exists: it speaks of the new life."""
    uid = min(DUMPS)
    old, new = open_leg(uid, created_us=T0), open_leg(uid)
    api = Api(LIVE)
    found = compare_channels(api, DECODER, [old], "fs")
    assert found is not None
    assert new.leg.key in {leg.key for leg in found.new_legs}
    assert (found.replaced, found.denied, found.alive) == ((old,), (), ())
    assert api.to("uuid_exists") == []


def test_an_old_life_is_replaced_also_when_the_new_one_was_heard() -> None:
    uid = min(DUMPS)
    old, new = open_leg(uid, created_us=T0), open_leg(uid)
    api = Api(LIVE)
    found = compare_channels(api, DECODER, [old, new], "fs")
    assert found is not None
    assert uid not in api.to("uuid_dump")
    assert (found.replaced, found.alive) == ((old,), (new,))


@pytest.mark.parametrize("heard", [True, False])
def test_a_recovered_leg_replaces_nothing(heard: bool) -> None:
    """`sofia recover` moves the time that a channel was created at, and it is the old leg that goes on."""
    uid = min(DUMPS)
    old, recovered = open_leg(uid, created_us=T0), open_leg(uid, recovered=True)
    dumps = {**DUMPS, uid: json.dumps({**json.loads(DUMPS[uid]), "variable_recovered": "true"})}
    found = compare_channels(Api(LIVE, dumps=dumps), DECODER, [old, recovered] if heard else [old], "fs")
    assert found is not None
    assert (uid in {leg.uid for leg in found.new_legs}) != heard
    assert (found.replaced, found.denied) == ((), ())
    assert found.alive == ((old, recovered) if heard else (old,))


def test_a_known_channel_that_was_listed_late_is_not_taken_for_another() -> None:
    """The list has the second of registration, under load some seconds after the beginning; the dump is exact."""
    known = open_leg(min(DUMPS))
    late = [{**row, "created_epoch": int(row["created_epoch"]) + 2} for row in json.loads(LIVE)["rows"]]
    found = compare_channels(Api(listing(*late)), DECODER, [known], "fs")
    assert found is not None
    assert known.leg.key not in {leg.key for leg in found.new_legs}
    assert (found.alive, found.replaced) == ((known,), ())


@pytest.mark.parametrize("reply", ["-ERR", "", "true", "maybe", "-USAGE: <uuid>"])
def test_only_a_plain_false_is_a_denial(reply: str) -> None:
    found = compare_channels(Api(NONE, exists={"a": reply}), DECODER, [open_leg("a")], "fs")
    assert found is not None
    assert found.denied == ()
    assert bool(found.alive) == (reply == "true")


@pytest.mark.parametrize("uid", ["a b", "a\nb", "a\r", "a\0", "\u2028", " ", "", "x" * 257, "a\tb", "\x7f", "a\u00a0b"])
def test_an_id_that_is_more_than_one_word_is_never_put_into_a_command(uid: str) -> None:
    """A caller can choose the id (SIP Call-ID as uuid): `uuid_exists x` followed by a line of their own is refused."""
    api = Api(listing({"uuid": uid}, {"uuid": min(DUMPS)}))
    found = compare_channels(api, DECODER, [open_leg(uid)], "fs")
    assert found is not None
    assert found.denied == ()
    assert api.asked == ["show channels as json", f"uuid_dump {min(DUMPS)} json"]


@pytest.mark.parametrize(
    "reply", ["-ERR No such channel!\n", "", "{", "{}", '{"Event-Name":"CHANNEL_DATA"}', "{" * 5000, '{"a":' * 5000]
)
def test_a_channel_that_ended_between_the_questions_makes_no_leg(reply: str) -> None:
    found = compare_channels(Api(listing({"uuid": "a"}), dumps={"a": reply}), DECODER, [], "fs")
    assert found is not None
    assert found.new_legs == ()


def test_odd_rows_of_a_list_are_passed_over() -> None:
    assert parse_channel_list(listing(5, None, [], {}, {"uuid": 7}, {"uuid": None}, {"uuid": "good"})) == {"good": 0}


def test_a_connection_that_ends_is_not_swallowed() -> None:
    api: Callable[[str], str] = Api(LIVE, dumps={})

    def cut(command: str) -> str:
        if command.startswith("uuid_dump"):
            raise ConnectionError
        return api(command)

    with pytest.raises(ConnectionError):
        compare_channels(cut, DECODER, [], "fs")
