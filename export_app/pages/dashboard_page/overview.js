// The statistics: tiles, charts over time, and rankings.

import { chart } from "./chart.js";
import { el, svg, table } from "./dom.js";
import { at, count, duration, money, percent } from "./format.js";

export const DISPOSITIONS = ["answered", "abandoned", "cancelled", "busy", "no_answer", "rejected", "failed", "lost"];

const tile = (name, value, note = "", cls = "") =>
  el("div", { class: `tile card ${cls}` }, el("h3", {}, name), el("p", { class: "value" }, value), el("p", { class: "muted" }, note));

const costs = (cost, digits) => cost.map((sum) => money(sum.cost_micros, sum.currency, digits)).join(" · ") || "–";

/** Make the tiles of a total. Each currency has its own: amounts of two currencies are never added. */
export function tiles(total) {
  const made = [
    tile("Calls", count(total.calls), total.open ? `${count(total.open)} up now` : "none up now"),
    tile("ASR", percent(total.asr), `${count(total.answered)} answered`),
    tile("ACD", duration(total.acd_sec), "of answered calls"),
    tile("Minutes", count(Math.round(total.minutes)), "talked"),
    ...total.cost.map((sum) => tile("Cost", money(sum.cost_micros, sum.currency), sum.currency ?? "unknown currency")),
  ];
  if (total.unrated) made.push(tile("Unrated", count(total.unrated), "calls without a price", "warning"));
  return made;
}

/** Make the charts over time: calls by disposition, and cost for each currency. unit: hour or day, in the time zone. */
export function charts(byTime, byDisposition, unit, zone) {
  const times = byTime.groups.map((group) => group[`${unit}_ts`]);
  const label = (ms) => at(ms, zone, unit === "hour" ? "hour" : "day");
  const points = times.map((ms) => ({ label: label(ms), tick: at(ms, zone, unit === "hour" ? "clock" : "date") }));
  const found = new Map(times.map((ms) => [ms, new Map()]));
  for (const group of byDisposition.groups) found.get(group[`${unit}_ts`])?.set(group.disposition, group.calls);
  const present = new Set(byDisposition.groups.map((group) => group.disposition));
  const names = [...DISPOSITIONS, ...[...present].filter((name) => name !== null && !DISPOSITIONS.includes(name)), null]
    .filter((name) => present.has(name));
  const series = names.map((name) => ({
    name: name === null ? "up now" : name.replace("_", " "),
    cls: name === null ? "d-up" : DISPOSITIONS.includes(name) ? `d-${name}` : "d-other",
  }));
  const stacked = points.map((point, n) => ({
    ...point, values: names.map((name) => found.get(times[n]).get(name) ?? 0),
  }));
  const made = [chart({ title: `Calls per ${unit}`, points: stacked, series, format: count, least: 1 })];
  for (const currency of byTime.total.cost.map((sum) => sum.currency)) {
    const cost = (group) => group.cost.find((sum) => sum.currency === currency)?.cost_micros ?? 0;
    made.push(chart({
      title: `Cost per ${unit}${currency ? `, ${currency}` : ""}`,
      points: points.map((point, n) => ({ ...point, values: [cost(byTime.groups[n])] })),
      series: [{ name: "cost", cls: "cost" }], format: (micros) => money(micros, currency), least: 10000,
    }));
  }
  return made;
}

/** Make a ranking of the groups with the most calls. member: that of a group's value; pick(value), if given, filters by it. */
export function ranking(title, head, stats, member, pick) {
  const groups = stats.groups.filter((group) => group[member] !== null && group[member] !== "");
  if (!groups.length) return null;
  const most = Math.max(...groups.map((group) => group.calls));
  const name = (group) => (pick
    ? el("button", { type: "button", class: "link", title: `Show only ${head.toLowerCase()} ${group[member]}`,
      "data-keep": `${member} ${group[member]}`,
      onclick: () => pick(group[member]) }, group[member])
    : group[member]);
  const bar = (group) => svg("svg", { class: "share", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { width: (100 * group.calls) / most, height: 4 }));
  return el("section", { class: "card" }, el("h2", {}, title), el("div", { class: "scroll" }, table(title, [
    { name: head, cell: name, cls: "name" },
    { name: "Calls", cls: "number calls", cell: (group) => [count(group.calls), bar(group)] },
    { name: "ASR", cls: "number", cell: (group) => percent(group.asr) },
    { name: "ACD", cls: "number wide", cell: (group) => duration(group.acd_sec) },
    { name: "Cost", cls: "number", cell: (group) => costs(group.cost) },
  ], groups)), stats.more ? el("p", { class: "muted" }, `The ${groups.length} with the most calls.`) : null);
}
