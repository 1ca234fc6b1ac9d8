// The pure parts of the Now view and the wallboard. test_dashboard_modules.py runs this with the modules beside it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { agentLines, agentStates, figuresOf, freshness, lasted, queueLines } from "./board.js";
import { EventReader } from "./event_reader.js";
import { backoff, NowFeed } from "./now_feed.js";
import { faultOf, levelOf, MEASURES, readThresholds, reasonOf, usualThresholds, worstOf, writeThresholds } from "./thresholds.js";
import { readWall, writeWall } from "./wall_address.js";

const AT = 1_800_000_000_000; // epoch ms
const usual = usualThresholds();
const day = (more = {}) => ({ offered: 10, answered: 8, abandoned: 2, overflowed: 0, abandonRatePct: 20, asaMs: 9000, slSec: 20, serviceLevelPct: 80, ahtMs: 60000, longestWaitMs: 95000, ...more });
const inQueue = (queue_id, waiting, since_s, more = {}) => ({ queue_id, account_id: "acme", up: waiting + 1, talking: 1, waiting, waiting_ts: waiting ? AT - since_s * 1000 : null, ...more });
const now = (more = {}) => ({
  queue_id: null,
  calls: { up: 9, talking: 4, more: false, waiting: 3, callers: [], queues: [inQueue("sales", 2, 61), inQueue("support", 1, 30), inQueue("sales", 5, 200, { account_id: "other" })] },
  queues: [{ queue_id: "sales", account_id: "acme", ...day() }, { queue_id: "quiet", account_id: "acme", ...day({ abandonRatePct: 0, abandoned: 0, answered: 10 }) }],
  day: day({ offered: 20, answered: 18, abandonRatePct: 10 }),
  agents: null, ...more,
});
const how = (more = {}) => ({ choice: null, serverNow: AT, thresholds: usual, scopes: ["cdr", "queues"], ...more });
const shown = (figures, ...keys) => keys.map((key) => figures[key].value);

test("a stream is cut into events wherever its pieces end, and comments are no events", () => {
  const text = 'retry: 3000\n\n: still here\n\ndata: {"a":1}\n\nevent: unchanged\r\ndata: {"b":\r\ndata: 2}\r\n\r\n: half';
  const wanted = [{ kind: "comment", data: "still here" }, { kind: "", data: '{"a":1}' }, { kind: "unchanged", data: '{"b":\n2}' }];
  assert.deepEqual(new EventReader().feed(text), wanted);
  for (let size = 1; size < 9; size += 1) {
    const reader = new EventReader();
    const found = [];
    for (let at = 0; at < text.length; at += size) found.push(...reader.feed(text.slice(at, at + size)));
    assert.deepEqual(found, wanted, `pieces of ${size}`);
  }
});

test("an event without an end is refused, and costs no more memory", () => {
  const reader = new EventReader();
  assert.throws(() => { for (let n = 0; n < 100; n += 1) reader.feed(`data: ${"x".repeat(100_000)}\n`); }, RangeError);
});

test("thresholds are the same after an address; what is not valid counts as usual", () => {
  const mine = { ...usual, wait: { amber: 30, red: null }, level: { amber: 95, red: 90 } };
  assert.deepEqual(readThresholds(writeThresholds(mine)), mine);
  for (const text of [null, "", "nonsense", "wait-9-3_level-60-80_abandoned-5-101_other-1-2_constructor-1-2", "wait-1.5-9_waiting--1-2"]) {
    assert.deepEqual(readThresholds(text), usual, String(text));
  }
  assert.match(new URLSearchParams({ limits: writeThresholds(mine) }).toString(), /^limits=[\w-]+$/);
});

test("a fault says what is wrong, in words", () => {
  const cases = [["wait", 61, 60, /higher/], ["level", 60, 80, /lower/], ["level", 80, 60, null], ["abandoned", 5, 101, /0 to 100/], ["waiting", NaN, 3, /whole/], ["wait", null, 5, null]];
  for (const [key, amber, red, wanted] of cases) {
    const fault = faultOf(key, { amber, red });
    if (wanted) assert.match(fault, wanted); else assert.equal(fault, null);
  }
});

test("a level begins with its limit, below it where less is worse; what is not known has none", () => {
  const levels = [["wait", 59, ""], ["wait", 60, "amber"], ["wait", 120, "red"], ["level", 80, ""], ["level", 79, "amber"], ["level", 59, "red"], ["level", null, ""], ["abandoned", 10, "red"]];
  for (const [key, value, wanted] of levels) assert.equal(levelOf(key, value, usual), wanted, `${key} ${value}`);
  assert.equal(levelOf("wait", 999, { ...usual, wait: { amber: 5, red: null } }), "amber");
  assert.equal(reasonOf("level", "red", usual, (_, limit) => `${limit}%`), "■ Red: below 60%");
  assert.equal(worstOf(["amber", "", "red"]), "red");
  assert.equal(worstOf([]), "");
  assert.deepEqual(Object.values(MEASURES).map(({ low }) => low), [false, false, true, false]);
});

test("figures are of all queues or of one; a wait counts from the server's clock", () => {
  const all = figuresOf(now(), how());
  assert.deepEqual(shown(all, "up", "talking", "offered", "answered", "abandoned", "level"), ["9", "4", "20", "18", "10%", "80%"]);
  const one = figuresOf(now(), how({ choice: { queue: "sales", account: "acme" }, serverNow: AT + 2_500 }));
  assert.deepEqual(shown(one, "waiting", "wait", "up", "talking", "offered", "asa"), ["2", "1:03", "3", "1", "10", "0:09"]);
  assert.deepEqual([one.wait.level, one.wait.reason, one.abandoned.level], ["amber", "▲ Amber: from 1:00", "red"]);
  const none = figuresOf(now(), how({ choice: { queue: "support", account: null } }));
  assert.deepEqual(shown(none, "waiting", "offered", "level", "abandoned"), ["1", "0", "–", "–"]);
  assert.deepEqual([none.level.note, none.level.level], ["no calls yet", ""]);
  const early = figuresOf(now({ queues: [], day: day({ offered: 0, answered: 0, serviceLevelPct: 0, abandonRatePct: 0 }) }), how());
  assert.deepEqual([early.level.value, early.level.level], ["–", ""]);
});

test("what is not whole is not shown, and says why", () => {
  const without = figuresOf(now({ calls: null, queues: null, day: null }), how({ scopes: [] }));
  assert.deepEqual([without.waiting.value, without.waiting.note], ["–", "Your key does not have the scope cdr."]);
  assert.equal(without.level.note, "Your key does not have the scope queues.");
  for (const scopes of [["operator"], ["*"], ["queues"], null]) {
    assert.match(figuresOf(now({ queues: null, day: null }), how({ scopes })).level.note, /in the archive alone/);
  }
  const many = now({ queues: Array.from({ length: 100 }, (_, n) => ({ queue_id: `q${n}`, account_id: "acme", ...day() })) });
  assert.match(figuresOf(many, how({ choice: { queue: "support", account: "acme" } })).offered.note, /not among the 100/);
  const twice = now({ queues: ["acme", "other"].map((account_id) => ({ queue_id: "sales", account_id, ...day() })) });
  assert.match(figuresOf(twice, how({ choice: { queue: "sales", account: null } })).level.note, /choose the account/);
  const cut = now();
  cut.calls.more = true;
  assert.deepEqual(shown(figuresOf(cut, how()), "up", "waiting"), ["≥ 9", "≥ 8"]);
  assert.equal(figuresOf(now({ queues: [], day: day({ serviceLevelPct: null }) }), how()).level.note, "no wait of them is known");
});

test("queues stand worst first, then where somebody has waited longest; also those without calls today", () => {
  const lines = queueLines(now(), how()).map(({ queue_id, account_id, level }) => [queue_id, account_id, level]);
  assert.deepEqual(lines, [["sales", "other", "red"], ["sales", "acme", "red"], ["support", "acme", ""], ["quiet", "acme", ""]]);
  assert.deepEqual(queueLines(now(), how({ choice: { queue: "quiet", account: "acme" } })).map(({ queue_id }) => queue_id), ["quiet"]);
});

test("agents stand who works first, and for how long", () => {
  const agents = [["eve", "offline", null], ["bob", "ready", AT - 5_000], ["ann", "ready", AT - 65_000], ["cy", "incall", AT]].map(([agent_id, state, since_ts]) => ({ agent_id, state, since_ts, account_id: "acme" }));
  assert.deepEqual(agentLines(agents).map(({ agent_id }) => agent_id), ["cy", "ann", "bob", "eve"]);
  assert.deepEqual([lasted(AT - 65_400, AT), lasted(null, AT), lasted(AT + 900, AT)], ["1:05", "over an hour", "0:00"]);
  assert.deepEqual(agentStates({ ready: 2, incall: 1, strange: 1 }).map(({ name, agents: number }) => `${name} ${number}`), ["In a call 1", "Ready 2", "strange 1"]);
});

test("how fresh it is: a comment proves nothing, and what is read out does not change each second", () => {
  const of = (mode, age, more = {}) => freshness({ mode, age, heard: true, since: AT, message: "The server does not answer.", ...more }, "UTC");
  assert.deepEqual(of("live", 3_900), { tone: "ok", text: "Live", age: "read 3 s ago" });
  assert.deepEqual(of("live", 15_001).tone, "late");
  assert.deepEqual([of("live", 40_000).text, of("live", 41_000).text], ["The server is there, but cannot read what is up.", "The server is there, but cannot read what is up."]);
  assert.equal(of("live", 75_000).age, "the figures are 1:15 old");
  assert.equal(of("away", 2_000).tone, "bad");
  assert.match(of("away", 2_000).text, /^Disconnected since 08:00:00/);
  assert.equal(of("away", 0, { heard: false }).age, "there are no figures yet");
  assert.deepEqual(of("connecting", 0, { heard: false }), { tone: "ok", text: "Connecting…", age: "" });
  assert.equal(of("polling", 5_000).text, "Without a stream: asked every 5 seconds");
});

test("the stream is tried again after longer and longer, up to half a minute, and not by all at once", () => {
  assert.deepEqual([1, 2, 3, 6, 60].map((failures) => backoff(failures, 1)), [1_000, 2_000, 4_000, 30_000, 30_000]);
  assert.equal(backoff(3, 0), 2_000);
});

test("the age is by the server's clock, also while a new stream begins, and after a clock was set", (context) => {
  context.mock.method(Date, "now", () => 1_800_000_000_000); // however long this takes
  const feed = new NowFeed({}, () => {});
  const hour = 3_600_000;
  feed.still(Date.now() + hour, "live");
  assert.equal(feed.age(), 0);
  feed.still(Date.now() + hour - 4_000, "live"); // it was four seconds on its way
  assert.equal(feed.age(), 4_000);
  feed.renews = true;
  assert.equal(feed.age(), 4_000);
  feed.still(Date.now() - hour, "live");
  assert.equal(feed.age(), 0);
});

test("a wallboard's address has its token only as it was given", () => {
  const { token, ...wall } = readWall("#link=wb_a-b_c&limits=wait-1-2&theme=dark");
  assert.deepEqual([token, wall], ["wb_a-b_c", { byLink: true, account: "", queue: "", limits: "wait-1-2", theme: "dark" }]);
  assert.equal(writeWall(wall), "#link=&limits=wait-1-2&theme=dark");
  assert.deepEqual({ ...readWall(writeWall(wall)), token }, { ...wall, token });
  assert.equal(readWall("#wb_a-b_c").token, "wb_a-b_c");
  assert.deepEqual(readWall("#queue_id=sales%40acme&theme=pink"), { byLink: false, token: "", account: "", queue: "sales@acme", limits: "", theme: "" });
  assert.equal(writeWall(readWall("")), "");
});
