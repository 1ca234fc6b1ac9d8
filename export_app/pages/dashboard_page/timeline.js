// The time line of a call: a row of bars for each leg on one axis, arrows where one led to another, and the same as a table.

import { el, scroller, svg, table } from "./dom.js";
import { at, duration, seconds } from "./format.js";
import { KINDS, timeLine } from "./legs.js";

const ROW = 30; // pixels
const TOP = 8;
const AXIS = 22;
const LEFT = 10;
const RIGHT = 12;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400]; // seconds between two ticks
const TICK_WIDTH = 60;

const nameOf = (/** @type {Api.Leg} */ leg) => `Leg ${leg.leg}: ${leg.direction === "inbound" ? `${leg.caller_num} called in` : leg.dialed_num}`;

/**
 * Say what a span is, as rang 0:03 from 12:04:05 to 12:04:08.
 * @param {Page.LegSpan} span
 * @param {string} zone
 */
const told = ({ kind, from, to }, zone) => `${KINDS[kind]} ${seconds(to - from)}, from ${at(from, zone, "second")} to ${at(to, zone, "second")}`;

/**
 * @param {Page.TimeLine} line
 * @param {number} width pixels
 * @param {string} zone
 * @param {(text: string) => void} say
 */
function drawing({ from, to, rows, arrows }, width, zone, say) {
  const whole = Math.max(to - from, 1000);
  const inner = width - LEFT - RIGHT;
  const x = (/** @type {number} */ ms) => LEFT + ((ms - from) / whole) * inner;
  const y = (/** @type {number} */ row) => TOP + row * ROW;
  const height = TOP + rows.length * ROW + AXIS;
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "legs", role: "img", tabindex: 0,
    "aria-label": `Time line of ${rows.length} legs over ${duration(whole / 1000)}. Use the arrow keys to move between its bars and arrows; the table below has the same` });
  /** @type {{mark: Element, text: string}[]} */
  const marks = [];
  let chosen = -1;
  /** @type {(n: number) => void} */
  const choose = (n) => {
    chosen = Math.max(0, Math.min(marks.length - 1, n));
    marks.forEach(({ mark }, index) => mark.classList.toggle("chosen", index === chosen));
    say(marks[chosen].text);
  };
  /** @type {(mark: Element, text: string) => void} */
  const add = (mark, text) => {
    const n = marks.push({ mark, text }) - 1;
    mark.addEventListener("pointerenter", () => choose(n));
    picture.append(mark);
  };
  picture.addEventListener("keydown", (event) => {
    /** @type {Record<string, number>} */
    const moves = { ArrowLeft: chosen - 1, ArrowUp: chosen - 1, ArrowRight: chosen + 1, ArrowDown: chosen + 1, Home: 0, End: marks.length - 1 };
    if (!(event.key in moves)) return;
    event.preventDefault();
    choose(moves[event.key]);
  });
  const wanted = whole / 1000 / Math.max(1, inner / TICK_WIDTH);
  const step = STEPS.find((size) => size >= wanted) ?? wanted;
  for (let s = 0; s <= whole / 1000; s += step) {
    const place = x(from + s * 1000);
    picture.append(svg("line", { class: "grid", x1: place, x2: place, y1: TOP, y2: height - AXIS }),
      svg("text", { class: "axis", x: place, y: height - 6, "text-anchor": s === 0 ? "start" : "middle" }, duration(s)));
  }
  rows.forEach(({ leg, spans }, row) => spans.forEach((span) => {
    const thin = span.kind === "held" || span.kind === "queue";
    const text = `${nameOf(leg)}: ${told(span, zone)}`;
    add(svg("rect", { class: `span k-${span.kind}`, x: x(span.from), y: y(row) + (thin ? 15 : 11), rx: 2,
      width: Math.max(2, x(span.to) - x(span.from)), height: thin ? 7 : 15 }, svg("title", {}, text)), text);
  }));
  rows.forEach(({ leg }, row) => picture.append(
    svg("text", { class: "leg-name", x: Math.min(x(leg.created_ts) + (arrows.some((arrow) => arrow.to === row) ? 8 : 0), width - 150), y: y(row) + 8 }, nameOf(leg))));
  for (const arrow of arrows) {
    const [place, down] = [x(arrow.at), arrow.to > arrow.from];
    const [start, tip] = [y(arrow.from) + (down ? 27 : 10), y(arrow.to) + (down ? 10 : 27)];
    const text = `${arrow.moved ? "The call moved on" : "Calls"}: ${nameOf(rows[arrow.from].leg)} → ${nameOf(rows[arrow.to].leg)}, ${at(arrow.at, zone, "second")}`;
    add(svg("g", { class: arrow.moved ? "arrow moved" : "arrow" }, svg("title", {}, text),
      svg("path", { d: `M${place} ${start}V${tip}` }), svg("path", { d: `M${place - 4} ${tip + (down ? -6 : 6)}L${place} ${tip}L${place + 4} ${tip + (down ? -6 : 6)}` })), text);
  }
  return picture;
}

/**
 * Make the time line of a call's legs; null when there are none.
 * @param {Api.CallDetail} call
 * @param {string} zone the time zone of its times
 */
export function legLine(call, zone) {
  if (!call.legs.length) return null;
  const line = timeLine(call, Date.now());
  const readout = el("p", { class: "readout muted", "aria-live": "polite" }, "Point at a bar or an arrow, tap it, or use the arrow keys, for its times.");
  const say = (/** @type {string} */ text) => { readout.textContent = text; };
  const host = el("div", {});
  new ResizeObserver(() => {
    const width = Math.max(host.clientWidth, 220);
    if (host.dataset.width !== String(width)) host.replaceChildren(drawing(line, width, zone, say));
    host.dataset.width = String(width);
  }).observe(host);
  const kinds = /** @type {Page.SpanKind[]} */ (Object.keys(KINDS)).filter((kind) => line.rows.some((row) => row.spans.some((span) => span.kind === kind)));
  const key = (/** @type {string} */ cls) => svg("svg", { class: "key", viewBox: "0 0 10 10", "aria-hidden": "true" },
    svg("rect", { class: cls, width: 10, height: 10, rx: 2 }));
  const sum = (/** @type {Page.LegRow} */ row, /** @type {Page.SpanKind} */ kind) => {
    const ms = row.spans.filter((span) => span.kind === kind).reduce((total, span) => total + span.to - span.from, 0);
    return ms ? seconds(ms) : "";
  };
  const moved = line.arrows.some((arrow) => arrow.moved);
  return el("figure", { class: "leg-line" },
    el("ul", { class: "legend" }, kinds.map((kind) => el("li", {}, key(`span k-${kind}`), KINDS[kind])),
      moved ? el("li", {}, key("moved-key"), "moved on to another party: a transfer, or the dialplan") : null),
    host, readout,
    el("details", {}, el("summary", {}, "As a table"), scroller("The legs and their times", table("The legs and their times", [
      { name: "Leg", cls: "name", cell: ({ leg }) => nameOf(leg) },
      { name: "Began", cell: ({ leg }) => at(leg.created_ts, zone, "second") },
      ...kinds.map((kind) => ({ name: KINDS[kind], cls: "number", cell: (/** @type {Page.LegRow} */ row) => sum(row, kind) })),
      { name: "Ended", cell: ({ leg }) => (leg.hangup_ts === null ? "is up" : at(leg.hangup_ts, zone, "second")) },
      { name: "Cause", cell: ({ leg }) => leg.hangup_cause ?? "" },
      { name: "Made for", cell: ({ leg }) => (leg.child_of === null ? "" : `leg ${leg.child_of}`) },
    ], line.rows))));
}
