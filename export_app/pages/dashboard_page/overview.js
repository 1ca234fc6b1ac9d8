// What calls add up to: the tiles, the charts over time, and who comes first.

import { chart } from "./chart.js";
import { el, svg, table } from "./dom.js";
import { at, count, duration, money, percent } from "./format.js";

export const DISPOSITIONS = ["answered", "abandoned", "cancelled", "busy", "no_answer", "rejected", "failed", "lost"];

const tile = (name, value, note = "", cls = "") =>
  el("div", { class: `tile card ${cls}` }, el("h3", {}, name), el("p", { class: "value" }, value), el("p", { class: "muted" }, note));

const costs = (cost, digits) => cost.map((one) => money(one.cost_micros, one.currency, digits)).join(" · ") || "–";

/** The tiles of a total: a cost for each currency, for they are never added. */
export function tiles(total) {
  const made = [
    tile("Calls", count(total.calls), total.open ? `${count(total.open)} up now` : "none up now"),
    tile("ASR", percent(total.asr), `${count(total.answered)} answered`),
    tile("ACD", duration(total.acd_sec), "of answered calls"),
    tile("Minutes", count(Math.round(total.minutes)), "talked"),
    ...total.cost.map((one) => tile("Cost", money(one.cost_micros, one.currency), one.currency ?? "currency not known")),
  ];
  if (total.unrated) made.push(tile("Unrated", count(total.unrated), "calls without a price", "warning"));
  return made;
}

/** Calls by disposition and cost by currency over time. unit: hour or day; zone: their time zone. */
export function charts(byTime, byDisposition, unit, zone) {
  const times = byTime.groups.map((one) => one[`${unit}_ts`]);
  const label = (ms) => at(ms, zone, unit === "hour" ? "hour" : "day");
  const points = times.map((ms) => ({ label: label(ms), tick: at(ms, zone, unit === "hour" ? "clock" : "date") }));
  const found = new Map(times.map((ms) => [ms, new Map()]));
  for (const one of byDisposition.groups) found.get(one[`${unit}_ts`])?.set(one.disposition, one.calls);
  const others = new Set(byDisposition.groups.map((one) => one.disposition));
  const names = [...DISPOSITIONS, ...[...others].filter((one) => one !== null && !DISPOSITIONS.includes(one)), null]
    .filter((name) => others.has(name));
  const series = names.map((name) => ({
    name: name === null ? "up now" : name.replace("_", " "),
    cls: name === null ? "d-up" : DISPOSITIONS.includes(name) ? `d-${name}` : "d-other",
  }));
  const stacked = points.map((point, n) => ({
    ...point, values: names.map((name) => found.get(times[n]).get(name) ?? 0),
  }));
  const made = [chart({ title: `Calls per ${unit}`, points: stacked, series, format: count, least: 1 })];
  for (const currency of byTime.total.cost.map((one) => one.currency)) {
    const cost = (group) => group.cost.find((one) => one.currency === currency)?.cost_micros ?? 0;
    made.push(chart({
      title: `Cost per ${unit}${currency ? `, ${currency}` : ""}`,
      points: points.map((point, n) => ({ ...point, values: [cost(byTime.groups[n])] })),
      series: [{ name: "cost", cls: "cost" }], format: (micros) => money(micros, currency), least: 10000,
    }));
  }
  return made;
}

/** The groups of most calls. member: where a group's value stands; pick(value), if given, filters by it. */
export function ranking(title, head, stats, member, pick) {
  const groups = stats.groups.filter((one) => one[member] !== null && one[member] !== "");
  if (!groups.length) return null;
  const most = Math.max(...groups.map((one) => one.calls));
  const name = (one) => (pick
    ? el("button", { type: "button", class: "link", title: `Show only ${head.toLowerCase()} ${one[member]}`,
      "data-keep": `${member} ${one[member]}`,
      onclick: () => pick(one[member]) }, one[member])
    : one[member]);
  const bar = (one) => svg("svg", { class: "share", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { width: (100 * one.calls) / most, height: 4 }));
  return el("section", { class: "card" }, el("h2", {}, title), el("div", { class: "scroll" }, table(title, [
    { name: head, cell: name, cls: "name" },
    { name: "Calls", cls: "number calls", cell: (one) => [count(one.calls), bar(one)] },
    { name: "ASR", cls: "number", cell: (one) => percent(one.asr) },
    { name: "ACD", cls: "number wide", cell: (one) => duration(one.acd_sec) },
    { name: "Cost", cls: "number", cell: (one) => costs(one.cost) },
  ], groups)), stats.more ? el("p", { class: "muted" }, `The ${groups.length} with most calls.`) : null);
}
