"""The explanation of every call recorded for its details: each detail has its rule, and each leg its own figures."""

import re
from typing import Any

import msgspec
import pytest

from tests.factories import START_US, created, ended, leg, legs_of
from tests.recorded_details import DELAY_MS, NAMES, legs_heard, rows_of
from tollbook.model.charge import Price
from tollbook.model.details import CARRIER_COLUMNS, DETAIL_COLUMNS, ROOT_COLUMNS
from tollbook.model.explain.explain import EXPLAINED_COLUMNS, Explanation, explain, value_of
from tollbook.model.explain.leg_view import LegView
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg, merge_all
from tollbook.model.leg_details import LegDetails
from tollbook.model.record import Row
from tollbook.model.trunks import TrunkRules

OF_LEGS = tuple(name for name in DETAIL_COLUMNS if name != "destination")


def price_of(row: Row, destination: str | None = None) -> Price:
    """A price of a row that is right for nothing but its parts."""
    return Price(cost_micros=0, parts=(), destination=destination)


def explanations(name: str, settings: FoldSettings | None = None) -> list[tuple[Row, Explanation]]:
    """Explain each row of a recording by all legs that are stored of it."""
    legs = list(merge_all(legs_heard(name)).values())
    return [(row, explain(row, price_of(row), legs, settings or FoldSettings(), bridged=legs)) for row in rows_of(legs)]


def only(*legs: Leg, settings: FoldSettings | None = None) -> Explanation:
    merged = list(merge_all(legs).values())
    (row,) = rows_of(merged)
    return explain(row, price_of(row), merged, settings or FoldSettings())


@pytest.mark.parametrize("name", NAMES)
def test_every_detail_has_its_rule(name: str) -> None:
    """The rules decide again what the row has; a null says that nothing states it, and no other value does."""
    for row, explained in explanations(name):
        assert tuple(explained.rules) == EXPLAINED_COLUMNS
        assert explained.note is None
        for detail in OF_LEGS:
            rule = explained.rules[detail]
            assert rule == rule.strip()
            assert "\n" not in rule
            is_null = value_of(row, detail) in (None, (), {})
            assert rule.startswith(("nothing says: ", "none: ")) == is_null, (detail, rule)


def named(explained: Explanation, detail: str) -> list[LegView]:
    """The legs that a detail's rule names, in its order."""
    return [explained.legs[int(number) - 1] for number in re.findall(r"leg (\d+)", explained.rules[detail])]


@pytest.mark.parametrize("name", NAMES)
def test_a_detail_s_rule_names_the_leg_whose_value_it_is(name: str) -> None:
    """So whoever doubts a value finds where it stands."""
    for row, explained in explanations(name):
        details = row.details
        root = next(view for view in explained.legs if view.role == "root")
        for detail, of_leg in (("codec", root.codec), ("sip_call_id", root.sip_call_id), ("source_ip", root.source_ip)):
            assert of_leg == getattr(details, detail)
            assert of_leg is None or named(explained, detail) == [root]
        assert details.rx_mos == (root.quality.rx_mos if root.quality else None)
        if details.gateway:
            assert named(explained, "gateway")[0].gateway == details.gateway
            assert named(explained, "gateway")[0].of_carrier
        if details.sip_status:
            assert named(explained, "sip_status")[0].sip_status == details.sip_status
        if details.hung_up_by == "caller":
            assert named(explained, "hung_up_by")[0].hangup_disposition in ("recv_bye", "recv_cancel")
        if details.hung_up_by == "callee" and "another call" not in explained.rules["hung_up_by"]:
            assert named(explained, "hung_up_by")[0].hangup_disposition in ("recv_bye", "recv_refuse")
        if details.hold_ms:
            holders = named(explained, "hold_ms")
            assert sum(leg.hold_ms or 0 for leg in holders) >= details.hold_ms
            assert all(leg.hold_ms for leg in holders)
            for leg in holders:
                held = sum(hold.until_ts - hold.from_ts for hold in leg.holds)
                assert held == pytest.approx(leg.hold_ms, abs=len(leg.holds))
        assert sorted(path for leg in explained.legs for path in leg.recordings) == sorted(details.recordings)
        recorded_legs = named(explained, "recordings") if details.recordings else []
        assert recorded_legs == [leg for leg in explained.legs if leg.recordings]


def test_a_call_that_went_over_two_carriers_has_the_delay_of_each() -> None:
    """The call's own delay counts the carrier that refused it; the figures of a leg are its own."""
    ((row, explained),) = explanations("pdd_failover")
    refused, root, answered = explained.legs
    assert (root.pdd_ms, refused.pdd_ms) == (None, None)
    assert row.details.pdd_ms
    assert answered.pdd_ms == pytest.approx(1000, abs=DELAY_MS)
    assert row.details.pdd_ms == pytest.approx(2000, abs=DELAY_MS)
    assert (refused.gateway, refused.sip_status, refused.hangup_disposition) == ("carrier", 503, "recv_refuse")
    assert (answered.gateway, answered.sip_status, answered.hangup_disposition) == ("carrier2", None, "recv_bye")
    assert answered.progress_ts
    # Each time is cut to the ms by itself.
    assert answered.pdd_ms == pytest.approx(answered.progress_ts - answered.created_ts, abs=1)
    assert (refused.of_carrier, root.of_carrier, answered.of_carrier) == (True, False, True)
    assert (refused.source_ip, answered.source_ip) == ("127.0.0.3", "127.0.0.5")
    assert answered.user_agent == "OtherSBC 1.9"
    assert answered.quality
    assert (answered.quality.rx_mos, answered.quality.packets_in) == (4.5, 300)


def test_a_leg_s_quality_says_why_there_is_none() -> None:
    """FreeSWITCH says 4.50 of a leg that received nothing."""
    ((_, explained),) = explanations("loss100_from_caller")
    root = next(view for view in explained.legs if view.role == "root")
    assert root.quality
    assert root.quality.rx_mos is None
    assert root.quality.packets_in < 250
    assert root.quality.why.startswith("nothing says: from the party of leg")
    assert f"received {root.quality.packets_in} media packets" in root.quality.why


def test_early_media_counts_as_a_sign_of_life() -> None:
    ((_, explained),) = explanations("pdd_183_early_media")
    called = next(view for view in explained.legs if view.role == "child")
    assert called.progress_media_ts
    assert called.pdd_ms == pytest.approx(called.progress_media_ts - called.created_ts, abs=1)


def test_a_leg_of_another_call_has_no_number() -> None:
    """After an attended transfer the one who hung up is a leg that the call's tree does not have."""
    rules = [explained.rules["hung_up_by"] for _, explained in explanations("xfer_attended_by_callee")]
    assert "sip_hangup_disposition of a leg of another call says recv_bye, and it ended with leg 2 (root)" in rules


def hidden_of(leg: LegView) -> dict[str, Any]:
    names = ("channel", "gateway", "sip_status", "sip_call_id", "source_ip", "user_agent")
    return {name: getattr(leg, name) for name in names}


@pytest.mark.parametrize("name", NAMES)
def test_without_carriers_no_leg_says_who_one_is(name: str) -> None:
    """Nor do the rules; whatever else was said stays."""
    for row, explained in explanations(name):
        shown = explained.without_carriers()
        assert [leg.leg for leg in shown.legs] == [leg.leg for leg in explained.legs]
        for before, after in zip(explained.legs, shown.legs, strict=True):
            if before.leg not in explained.own_legs:
                assert set(hidden_of(after).values()) == {None}
                assert msgspec.structs.replace(after, **hidden_of(before)) == before
            else:
                assert after == before
                assert not before.of_carrier
        assert tuple(shown.rules) == tuple(column for column in EXPLAINED_COLUMNS if column not in CARRIER_COLUMNS)
        root = next(leg for leg in explained.legs if leg.role == "root")
        assert root.of_carrier == row.trunk_root
        changed = {column for column in shown.rules if shown.rules[column] != explained.rules[column]}
        assert changed == (ROOT_COLUMNS if row.trunk_root else set())


def test_a_root_stays_a_carrier_s_although_the_settings_call_it_a_peer_s_today() -> None:
    """What was hidden when the call was made is not shown when a list changes, nor the other way round."""
    begun = created("x", user="", profile="external", source_ip="192.0.2.9", sip_call_id="a@192.0.2.9")
    legs = list(merge_all(legs_of(begun, ended(begun, answered_s=1, hangup_s=9))).values())
    outside = FoldSettings()
    peer = FoldSettings(trunk_rules=TrunkRules(onnet=frozenset({"192.0.2.9"})))
    (row,) = rows_of(legs)
    assert row.trunk_root
    for stored in (row, msgspec.structs.replace(row, trunk_root=False)):
        for settings in (outside, peer):
            shown = explain(stored, price_of(stored), legs, settings).without_carriers()
            if stored.trunk_root or settings is outside:
                assert shown.legs[0].source_ip is None
                assert shown.rules["source_ip"] == "a carrier's: for operators alone"
            else:
                assert shown.legs[0].source_ip == "192.0.2.9"


def test_a_gateway_that_leads_to_a_switch_of_our_own_is_hidden_too() -> None:
    """As the gateway and the status of its row are: only its being off-net depends on the lists."""
    root, trunk = (
        created("root", user="1000"),
        created("b", originator="root", channel_direction="outbound", gateway="x"),
    )
    settings = FoldSettings(trunk_rules=TrunkRules(onnet=frozenset({"x"})))
    explained = only(*legs_of(root, trunk, ended(root, hangup_s=9), ended(trunk, hangup_s=9)), settings=settings)
    assert [(view.off_net, view.of_carrier) for view in explained.legs if view.gateway == "x"] == [(False, True)]


def test_of_a_call_that_is_up_no_detail_is_said() -> None:
    explained = only(leg("root"))
    for detail in OF_LEGS:
        assert explained.rules[detail] == "not before the end: leg 1 (root) still up"
    assert explained.rules["destination"] == "not before the end"
    (view,) = explained.legs
    assert (view.quality, view.hold_ms, view.hangup_disposition, view.recordings) == (None, None, None, ())


def test_the_destination_comes_with_the_price() -> None:
    legs = [leg("root", end_us=START_US + 1)]
    (row,) = rows_of(legs)
    for name, rule in (("Germany", "the name of the rate of"), (None, "none: no charge of this call has a rate")):
        explained = explain(row, price_of(row, name), legs, FoldSettings())
        assert explained.rules["destination"].startswith(rule)


def test_details_that_today_s_legs_would_change_say_so() -> None:
    """A row from before there were details has none, and its legs may state some."""
    legs = [leg("root", end_us=START_US + 1, sip_call_id="a@b")]
    (row,) = rows_of(legs)
    old = msgspec.structs.replace(row, details=msgspec.structs.replace(row.details, sip_call_id=None))
    explained = explain(old, price_of(old), legs, FoldSettings())
    assert explained.rules["sip_call_id"] == (
        "as it was computed then; by the legs and settings of today it would be a@b: sip_call_id of leg 1 (root)"
    )
    assert explained.note


def test_hostile_texts_make_no_long_sentence() -> None:
    root = leg("root", end_us=START_US + 1)
    assert root.end
    details = LegDetails(hangup_disposition="x" * 9000, hold_events="{" * 9000, codec="c" * 9000, mos=4.5)
    hostile = msgspec.structs.replace(root, end=msgspec.structs.replace(root.end, details=details))
    assert max(map(len, only(hostile).rules.values())) < 250


def test_a_leg_of_another_call_that_is_not_here_is_said_to_be_missing() -> None:
    """It is no longer kept, or another account's: the row keeps what it said, and no setting is blamed."""
    legs = list(merge_all(legs_heard("xfer_attended_by_callee")).values())
    rules = set[str]()
    for row in rows_of(legs):
        explained = explain(row, price_of(row), legs, FoldSettings())
        assert explained.note is None
        rules.add(explained.rules["hung_up_by"])
    assert "as it was computed then: a leg of another call said it, which is not known here" in rules
