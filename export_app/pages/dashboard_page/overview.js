// The statistics: tiles, charts over time, and rankings.

import { ApiError } from "./api.js";
import { chart } from "./chart.js";
import { change, changeOfShare, costIn } from "./compare.js";
import { el, prose, scroller, svg, table, written } from "./dom.js";
import { at, count, duration, money, percent, sentence } from "./format.js";
import { partialEnds } from "./ranges.js";
import { explained } from "./words.js";

/**
 * How calls end, in the order of the bars.
 * @type {string[]}
 */
export const DISPOSITIONS = ["answered", "abandoned", "cancelled", "busy", "no_answer", "rejected", "failed", "lost"];

/** @type {(name: string, value: string, note?: string | (string | null | undefined)[], cls?: string) => HTMLElement} */
const tile = (name, value, note = "", cls = "") =>
  el("div", { class: `tile card ${cls}` }, el("h3", {}, written(explained(name))), el("p", { class: "value" }, value),
    [note].flat().filter(Boolean).map((line) => el("p", { class: "muted" }, line)));

/** @type {(cost: Api.Cost[]) => string} */
const costs = (cost) => cost.map((sum) => money(sum.cost_micros, sum.currency)).join(" · ") || "–";

const inSeconds = (/** @type {number | null | undefined} */ ms) => duration(typeof ms === "number" ? ms / 1000 : null);

/** @type {(total: Page.Figures, earlier: Page.Figures | undefined, name: string | undefined) => HTMLElement[]} */
const switchTiles = (total, earlier, name) => [
  tile("ASR", percent(total.asr), [`${count(total.answered)} answered`, changeOfShare(total.asr, earlier?.asr, name)]),
  tile("ACD", duration(total.acd_sec), "of answered calls"),
];

// Where a queue or an agent is asked for: answered is by an agent, for the switch answers whoever waits.
/** @type {(total: Page.Figures, within: number) => HTMLElement[]} */
const queueTiles = (total, within) => [
  tile("Answered", percent(total.offered ? total.answered / total.offered : null), `${count(total.answered)} of ${count(total.offered ?? 0)} by an agent`),
  tile("Abandoned", percent(total.abandon_rate), `${count(total.abandoned ?? 0)} calls${total.overflowed ? `, ${count(total.overflowed)} overflowed` : ""}`),
  tile("Service level", percent(total.service_level), `answered within ${within} s`),
  tile("ASA", inSeconds(total.asa_ms), `longest wait ${inSeconds(total.longest_wait_ms)}`),
  tile("AHT", inSeconds(total.aht_ms), "of agents, by call"),
];

/** @type {Page.Column<Page.Group>[]} */
const OF_CALLS = [
  { name: explained("ASR"), cls: "number", cell: (group) => percent(group.asr) },
  { name: explained("ACD"), cls: "number wide", cell: (group) => duration(group.acd_sec) },
  { name: "Cost", cls: "number", cell: (group) => costs(group.cost) },
];
/** @type {(within: number) => Page.Column<Page.Group>[]} */
const ofQueues = (within) => [
  { name: explained("Abandoned"), cls: "number", cell: (group) => percent(group.abandon_rate) },
  { name: `In ${within} s`, cls: "number", cell: (group) => percent(group.service_level) },
  { name: explained("ASA"), cls: "number", cell: (group) => inSeconds(group.asa_ms) },
  { name: "Longest", cls: "number wide", cell: (group) => inSeconds(group.longest_wait_ms) },
  { name: explained("AHT"), cls: "number wide", cell: (group) => inSeconds(group.aht_ms) },
];
/**
 * The columns of the ranking of agents.
 * @type {Page.Column<Page.Group>[]}
 */
export const OF_AGENTS = [
  { name: "Talk", cls: "number", cell: (group) => inSeconds(group.talk_ms) },
  { name: explained("AHT"), cls: "number", cell: (group) => inSeconds(group.aht_ms) },
];

/**
 * Make the tiles of the total of statistics. Each currency has its own: amounts of two currencies are never added.
 * @param {Pick<Page.Stats, "total" | "sl_s">} stats
 * @param {{total: Page.Figures, name: string} | null} before of the time that they are compared with, if it is known
 */
export function tiles({ total, sl_s }, before = null) {
  const [earlier, name] = [before?.total, before?.name];
  const made = [
    tile("Calls", count(total.calls), [total.open ? `${count(total.open)} up now` : "none up now", change(total.calls, earlier?.calls, name)]),
    ...(total.offered === undefined ? switchTiles(total, earlier, name) : queueTiles(total, sl_s ?? 0)),
    tile("Minutes", count(Math.round(total.minutes)), ["talked", change(total.minutes, earlier?.minutes, name)]),
    ...total.cost.map((sum) => tile("Cost", money(sum.cost_micros, sum.currency),
      [sum.currency ?? "unknown currency", earlier && change(sum.cost_micros, costIn(earlier, sum.currency), name)])),
  ];
  if (total.unrated) made.push(tile("Unrated", count(total.unrated), "calls without a price", "warning"));
  return made;
}

/**
 * Make the charts over time: calls by disposition, and cost for each currency.
 * @param {Page.Stats} stats by time and disposition
 * @param {"hour" | "day" | "month"} unit of the bars, in the time zone
 * @param {string} zone
 */
export function charts(stats, unit, zone) {
  const begun = (/** @type {Page.Group} */ group) => group[`${unit}_ts`] ?? 0;
  const times = stats.periods_ts ?? [];
  const tick = { hour: "clock", day: "date", month: "months" }[unit];
  const [firstPart, lastPart] = partialEnds(times, unit, zone, stats.from_ts, stats.until_ts);
  const isPart = (/** @type {number} */ n) => (n === 0 && firstPart) || (n === times.length - 1 && lastPart);
  const points = times.map((ms, n) => ({ label: `${at(ms, zone, unit)}${isPart(n) ? ` (part of the ${unit})` : ""}`, tick: at(ms, zone, tick), part: isPart(n) }));
  /** @type {Map<number, Map<string | null, number>>} */
  const found = new Map(times.map((ms) => [ms, new Map()]));
  for (const group of stats.groups) found.get(begun(group))?.set(group.disposition ?? null, group.calls);
  /** @type {Set<string | null>} */
  const present = new Set(stats.groups.map((group) => group.disposition ?? null));
  const names = [...DISPOSITIONS, ...[...present].filter((name) => name !== null && !DISPOSITIONS.includes(name)), null]
    .filter((name) => present.has(name));
  const series = names.map((name) => ({
    name: name === null ? "up now" : name.replace("_", " "),
    cls: name === null ? "d-up" : DISPOSITIONS.includes(name) ? `d-${name}` : "d-other",
  }));
  const stacked = points.map((point, n) => ({
    ...point, values: names.map((name) => found.get(times[n])?.get(name) ?? 0),
  }));
  const made = [chart({ title: `Calls per ${unit}`, points: stacked, series, format: count, least: 1 })];
  for (const currency of stats.total.cost.map((sum) => sum.currency)) {
    /** @type {Map<number, number>} */
    const cost = new Map();
    for (const group of stats.groups) cost.set(begun(group), (cost.get(begun(group)) ?? 0) + (costIn(group, currency) ?? 0));
    made.push(chart({
      title: `Cost per ${unit}${currency ? `, ${currency}` : ""}`,
      points: points.map((point, n) => ({ ...point, values: [cost.get(times[n]) ?? 0] })),
      series: [{ name: "cost", cls: "cost" }], format: (micros) => money(micros, currency), least: 10000,
    }));
  }
  return made;
}

/**
 * Make a ranking of the groups with the most calls; null when there are none.
 * @param {string} title
 * @param {string} head that of the column of names
 * @param {Page.Stats} stats
 * @param {"prefix" | "queue_id" | "agent_id" | "account_id"} member of a group that has its name
 * @param {{pick?: (value: string) => void, columns?: Page.Column<Page.Group>[]}} how pick filters by a name
 */
export function ranking(title, head, stats, member, { pick, columns } = {}) {
  const groups = stats.groups.filter((group) => group[member]);
  const valueOf = (/** @type {Page.Group} */ group) => group[member] ?? "";
  if (!groups.length) return null;
  const most = Math.max(...groups.map((group) => group.calls));
  const name = (/** @type {Page.Group} */ group) => (pick
    ? el("button", { type: "button", class: "link", title: `Show only ${head.toLowerCase()} ${valueOf(group)}`,
      "data-keep": `${member} ${valueOf(group)}`,
      onclick: () => pick(valueOf(group)) }, valueOf(group))
    : valueOf(group));
  const bar = (/** @type {Page.Group} */ group) => svg("svg", { class: "share", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { width: (100 * group.calls) / most, height: 4 }));
  return el("section", { class: "card" }, el("h2", {}, title), scroller(title, table(title, [
    { name: head, cell: name, cls: "name" },
    { name: "Calls", cls: "number calls", cell: (group) => [count(group.calls), bar(group)] },
    ...(columns ?? (stats.total.offered === undefined ? OF_CALLS : ofQueues(stats.sl_s ?? 0))),
  ], groups)), stats.more ? el("p", { class: "muted" }, `The ${groups.length} with the most calls.`) : null);
}

/**
 * Make a card that says why a question has no answer.
 * @param {string} title
 * @param {string} message
 */
export const refusal = (title, message) => el("section", { class: "card" }, el("h2", {}, title), el("p", { class: "muted" }, message));

/**
 * Return the card that an answer makes, or one with the API's refusal, so that the other cards still come; throws ApiError.
 * @template Answer
 * @param {string} title
 * @param {() => Promise<Answer>} ask
 * @param {(answer: Answer) => Element | null} make
 */
export async function orRefusal(title, ask, make) {
  try {
    return make(await ask());
  } catch (error) {
    if (!(error instanceof ApiError) || ![403, 404, 422].includes(error.status)) throw error;
    return refusal(title, `${sentence(error.message)}.`);
  }
}

/**
 * Make the list of what may be free by mistake, for operators; null when there is nothing.
 * @param {Api.Doubts} found
 */
export function doubtList(found) {
  if (!found.doubts.length) return null;
  const title = "May be free by mistake";
  return el("section", { class: "card whole" }, el("h2", {}, title),
    el("p", { class: "muted" }, `${count(found.calls)} calls since the beginning of this time may have cost you what nobody is billed for.`),
    scroller(title, table(title, [
      { name: "Calls", cls: "number", cell: (doubt) => count(doubt.calls) },
      { name: "Talked", cls: "number", cell: (doubt) => duration(doubt.billsec) },
      { name: "What happened", cell: (doubt) => doubt.what },
      { name: "What helps", cell: (doubt) => prose(doubt.helps) },
    ], found.doubts)));
}
