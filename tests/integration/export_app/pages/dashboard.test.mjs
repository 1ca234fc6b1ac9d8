// The pure parts of the dashboard. test_dashboard_modules.py runs this with the modules beside it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { decimalsOf } from "./calls.js";
import { queueTime, timeLine } from "./legs.js";
import { story } from "./story.js";
import { candidates, chips, classify, isQuick } from "./filters.js";
import { isLive, partialEnds, windowOf } from "./ranges.js";
import { workOf } from "./work.js";

const tz = "Europe/Berlin";
const HOUR = 3_600_000;
const ms = (text) => Date.parse(text);
const span = (range, now, more = {}) => {
  const { since, until, before } = windowOf({ range, tz, ...more }, ms(now));
  const iso = (time) => new Date(time).toISOString().slice(0, 16);
  return [iso(since), iso(until), before && iso(before.since), before && iso(before.until)];
};

test("a number in any spelling, an id, or a named filter says what is asked for", () => {
  const cases = [
    ["+49 (30) 123-456", { filter: ["number", "+4930123456"] }],
    ["030/123456", { filter: ["number", "030123456"] }],
    ["from: 030 12", { filter: ["from_num", "03012"] }],
    ["from: Ann Lee", { filter: ["from_num", "Ann Lee"] }],
    ["Queue:support@default", { filter: ["queue_id", "support@default"] }],
    ["cause: USER_BUSY", { filter: ["hangup_cause", "USER_BUSY"] }],
    ["call: 7/8", { call: "7/8" }],
    ["8f4b3c52-6f0e-4f5e-9a54-6c9a5f0f6a4e", { call: "8f4b3c52-6f0e-4f5e-9a54-6c9a5f0f6a4e" }],
    [" sales ", { word: "sales" }],
    ["1001", { word: "1001" }],
    ["constructor:x", { word: "constructor:x" }],
    ["", { word: "" }],
  ];
  for (const [text, wanted] of cases) assert.deepEqual(classify(text), wanted, text);
});

test("of several meanings the whole name comes first, with or without its domain", () => {
  const found = candidates("Sales", { queue_id: ["presales", "sales@default", null], agent_id: ["sales-bob"] });
  assert.deepEqual(found.map(({ name, value, exact }) => [name, value, exact]),
    [["queue_id", "sales@default", true], ["agent_id", "sales-bob", false], ["queue_id", "presales", false]]);
});

test("chips are the filters without a field; sums with a number are not kept", () => {
  const view = { direction: "inbound", number: "030", queue_id: "", tz };
  assert.deepEqual(chips(view), [{ name: "number", label: "Number", value: "030" }]);
  assert.equal(isQuick(view), false);
  assert.equal(isQuick({ ...view, number: "" }), true);
});

test("days, weeks and months begin at the zone's midnight, also where the clock changes", () => {
  const now = "2026-03-30T08:00Z"; // a Monday, a day after 23 hours
  assert.deepEqual(span("today", now), ["2026-03-29T22:00", "2026-03-30T08:00", "2026-03-28T23:00", "2026-03-29T09:00"]);
  assert.deepEqual(span("yesterday", now), ["2026-03-28T23:00", "2026-03-29T22:00", "2026-03-27T23:00", "2026-03-28T23:00"]);
  assert.deepEqual(span("week", now).slice(0, 2), ["2026-03-29T22:00", "2026-03-30T08:00"]);
  assert.deepEqual(span("last_week", now), ["2026-03-22T23:00", "2026-03-29T22:00", "2026-03-15T23:00", "2026-03-22T23:00"]);
  assert.deepEqual(span("last_month", now).slice(0, 2), ["2026-01-31T23:00", "2026-02-28T23:00"]);
  assert.deepEqual(span("month", now, { month: "2025-12" }), ["2025-11-30T23:00", "2025-12-31T23:00", "2025-10-31T23:00", "2025-11-30T23:00"]);
});

test("a long month so far is compared with no more than the month before has", () => {
  const [, , since, until] = span("this_month", "2026-03-31T12:00Z");
  assert.deepEqual([since, until], ["2026-01-31T23:00", "2026-02-28T23:00"]);
});

test("what is no time says so", () => {
  for (const filter of [{ range: "month", month: "october" }, { range: "custom", from: "2026-01-02T00:00", to: "2026-01-01T00:00" }]) {
    assert.throws(() => windowOf({ ...filter, tz }, 0), /Enter/);
  }
  assert.deepEqual(["24", "today", "yesterday", "month"].map(isLive), [true, true, false, false]);
});

test("the first and the last bar are parts where the time is cut off in them", () => {
  const days = ["2026-03-28T23:00Z", "2026-03-29T22:00Z"].map(ms);
  assert.deepEqual(partialEnds(days, "day", tz, days[0], ms("2026-03-30T22:00Z")), [false, false]);
  assert.deepEqual(partialEnds(days, "day", tz, days[0] + HOUR, ms("2026-03-30T21:00Z")), [true, true]);
  assert.deepEqual(partialEnds([], "day", tz, 0, 1), [false, false]);
});

test("amounts of a list have equally many decimals", () => {
  assert.equal(decimalsOf([1_050_000, 20_000_000]), 2);
  assert.equal(decimalsOf([1_050_000, 14_534]), 6);
  assert.equal(decimalsOf([]), 2);
});

const leg = (number, created, more = {}) => ({
  leg: number, role: "child", child_of: 1, direction: "outbound", caller_num: "1000", dialed_num: `200${number}`, created_ts: created,
  progress_ts: null, progress_media_ts: null, answered_ts: null, hangup_ts: created + 10_000, holds: [], hangup_cause: "NORMAL_CLEARING", ...more,
});
const root = (more = {}) => leg(1, 0, { role: "root", child_of: null, direction: "inbound", answered_ts: 0, hangup_ts: 12_000, ...more });

test("the bars of a leg follow one another, and a hold lies on its own time", () => {
  const call = { legs: [leg(2, 1000, { progress_ts: 1300, answered_ts: 2000, holds: [{ from_ts: 3000, until_ts: 4000 }] }), root()] };
  const { from, to, rows, arrows } = timeLine(call, 0);
  assert.deepEqual([from, to], [0, 12_000]);
  assert.deepEqual(rows.map((row) => row.leg.leg), [1, 2]); // the caller's is the first
  assert.deepEqual(rows[1].spans.map(({ kind, from: begin, to: end }) => [kind, begin, end]),
    [["setup", 1000, 1300], ["rang", 1300, 2000], ["talked", 2000, 11_000], ["held", 3000, 4000]]);
  assert.deepEqual(arrows, [{ at: 1000, from: 0, to: 1, moved: false }]);
});

test("a call that moves on from an answered party has an arrow from that one; after a refused one it has none", () => {
  const first = leg(2, 0, { answered_ts: 1000, hangup_ts: 6300 });
  assert.deepEqual(timeLine({ legs: [root(), first, leg(3, 6320)] }, 0).arrows.at(-1), { at: 6320, from: 1, to: 2, moved: true });
  const refused = leg(2, 0, { hangup_ts: 1000 });
  assert.deepEqual(timeLine({ legs: [root(), refused, leg(3, 1000)] }, 0).arrows.at(-1), { at: 1000, from: 0, to: 2, moved: false });
});

test("a party that had answered and whose caller has gone moves on by a transfer", () => {
  const legs = [root({ hangup_ts: 2400 }), leg(2, 0, { answered_ts: 1000 }), leg(3, 2400, { child_of: 2, dialed_num: "804" })];
  assert.deepEqual(timeLine({ legs }, 0).arrows.at(-1), { at: 2400, from: 1, to: 2, moved: true });
  const call = { from_num: "1", to_num: "2", start_ts: 0, end_ts: 9, answered: 1, disposition: "answered", billsec: 6, hold_ms: 0, hung_up_by: null, legs };
  assert.match(story(call, "UTC"), /moved on to 804\.$/);
  legs[0] = root(); // the caller stays: the second party has called a third
  assert.equal(timeLine({ legs }, 0).arrows.at(-1).moved, false);
});

test("the time in the queue ends when its agent answers, or the caller leaves; where nothing says when, it is not drawn", () => {
  const agent = leg(3, 4560, { answered_ts: 5580, hangup_ts: 14_040 });
  const taken = { wait_ms: 5500, talk_ms: 8459, disposition: "answered", legs: [root({ hangup_ts: 14_040 }), leg(2, 60), agent] };
  assert.deepEqual(queueTime(taken), { from: 80, to: 5580 });
  assert.deepEqual(queueTime({ wait_ms: 5019, talk_ms: null, disposition: "abandoned", legs: [root({ hangup_ts: 5020 })] }), { from: 1, to: 5020 });
  assert.equal(queueTime({ wait_ms: 5019, talk_ms: null, disposition: "answered", legs: [root()] }), null);
});

test("a leg that is up lasts until now", () => {
  assert.equal(timeLine({ legs: [root({ hangup_ts: null })] }, 5000).to, 5000);
});

test("a call is told in one sentence", () => {
  const call = { from_num: "Ann", to_num: "100", start_ts: 0, end_ts: 1, answered: 1, disposition: "answered", queue_id: "sales",
    agent_id: "bob", legs: [], wait_ms: 5600, talk_ms: 61_000, hung_up_by: "callee", billsec: 70, hold_ms: 0, hangup_cause: "X" };
  assert.match(story(call, "UTC"), /^Ann called 100 on .*, came into the queue sales and waited 5\.6 s\. The agent bob took it and talked 1:01; then the called party hung up\.$/);
  assert.match(story({ ...call, queue_id: null, agent_id: null, hold_ms: 4500 }, "UTC"), /It was answered and lasted 1:10, 4\.5 s of it on hold; then/);
  assert.match(story({ ...call, queue_id: null, answered: 0, disposition: "busy" }, "UTC"), /It was busy \(X\)\.$/);
  assert.match(story({ ...call, queue_id: null, end_ts: null }, "UTC"), /up now\.$/);
});

test("what is to be settled has each call once: by its reason, without an account, or of the archive", () => {
  const reason = (kind, account_id, calls, more = {}) => ({ kind, account_id, calls, billsec: 60, call_id: kind, start_ts: 1, what: kind, helps: "", ...more });
  const accounts = [{ account_id: "acme", calls: 90, unrated: 12 }, { account_id: "other", calls: 5, unrated: 2 },
    { account_id: null, calls: 7, unrated: 4 }, { account_id: "fine", calls: 5, unrated: 0 }, { account_id: "moved", calls: 5, unrated: 3 }];
  const reasons = [reason("no_rate", "acme", 6), reason("no_plan", "acme", 2), reason("no_account", null, 4), reason("no_rate", "other", 2),
    reason("imported", "moved", 3)];
  const told = (rows) => rows.map(({ account, calls, what, newest }) => [account, calls, what.slice(0, 24), newest?.call_id ?? null]);
  assert.deepEqual(told(workOf(accounts, reasons, true)), [
    [null, 7, "the call has no account:", "no_account"], ["acme", 6, "no_rate", "no_rate"], ["acme", 4, "calls that only the arch", null],
    ["acme", 2, "no_plan", "no_plan"], ["other", 2, "no_rate", "no_rate"]]);
  assert.match(workOf(accounts, reasons, false).find(({ newest }) => newest === null).what, /^other reasons, and/);
  assert.deepEqual(workOf([{ account_id: "fine", calls: 5, unrated: 0 }], [], true), []);
});
