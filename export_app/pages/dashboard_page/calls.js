// The list of calls, and the details of one call.

import { el, table } from "./dom.js";
import { at, duration, money, sentence } from "./format.js";

const ARROWS = { inbound: "←", outbound: "→", internal: "↔" };

const state = (call) => (call.end_ts === null
  ? el("span", { class: "badge d-up" }, call.answered ? "talking" : "ringing")
  : el("span", { class: `badge d-${call.disposition}` }, (call.disposition ?? "").replace("_", " ")));

const length = (call) => duration(call.end_ts === null ? Math.max(0, (Date.now() - call.start_ts) / 1000) : call.duration_sec);

const cost = (call, currency) => (call.end_ts === null ? "" : call.cost_micros === null ? "unrated"
  : money(call.cost_micros, currency, 6));

/** Make a table of calls. operator: show accounts; currency: that of all calls, or null; open(call): show its details. */
export function callList(calls, { zone, operator, currency, open }) {
  const started = (call) => el("button", { type: "button", class: "link", title: "Show details",
    "data-keep": `${call.call_id} ${call.start_ts}`,
    onclick: () => open(call) }, el("span", {}, at(call.start_ts, zone, "date")), " ", el("span", {}, at(call.start_ts, zone, "second")));
  return el("div", { class: "scroll" }, table("Recent calls", [
    { name: "Started", cls: "started", cell: started },
    { name: "", cls: "wide", cell: (call) => el("span", { title: call.direction, role: "img", "aria-label": call.direction }, ARROWS[call.direction]) },
    { name: "From", cls: "name", cell: (call) => call.from_num },
    { name: "To", cls: "name", cell: (call) => call.to_num },
    { name: "Result", cell: state },
    { name: "Duration", cls: "wide number", cell: length },
    { name: "Queue", cls: "wide name", cell: (call) => call.queue_id ?? "" },
    { name: "Agent", cls: "wide name", cell: (call) => call.agent_id ?? "" },
    { name: "Cost", cls: "wide number", cell: (call) => cost(call, currency) },
    ...(operator ? [{ name: "Account", cls: "wide name", cell: (call) => call.account_id ?? "none" }] : []),
  ], calls));
}

const moment = (ms, zone) => (ms === null ? "–" : at(ms, zone));

function legItem(leg, zone) {
  const place = leg.child_of === null ? leg.role : `for leg ${leg.child_of}`;
  return el("li", {}, el("strong", {}, `Leg ${leg.leg}`), ` ${place}, ${leg.off_net ? "off-net" : "on-net"}: `,
    `${leg.caller_num} → ${leg.dialed_num}`, el("br"),
    el("span", { class: "muted" }, `${leg.channel} · created ${moment(leg.created_ts, zone)}, answered `
      + `${moment(leg.answered_ts, zone)}, ended ${moment(leg.hangup_ts, zone)} ${leg.hangup_cause ?? ""}`));
}

const chargeItem = (charge) => el("li", {}, el("strong", {}, `${charge.direction} ${charge.number}`), `, ${charge.seconds} s`,
  charge.rate ? ` · ${charge.rate}` : "", charge.charged ? ` · ${charge.charged}` : "", el("br"), el("span", { class: "muted" }, charge.priced));

/** Make the details of a call: its legs, its price and the rules behind its columns. close() closes them. */
export function callDetail(call, zone, close) {
  const facts = [
    ["Result", [state(call), ` ${call.hangup_cause ?? ""}${call.estimated ? " (the end is estimated)" : ""}`]],
    ["Started", at(call.start_ts, zone)],
    ["Answered", moment(call.answer_ts, zone)],
    ["Ended", moment(call.end_ts, zone)],
    ["Duration", length(call)],
    ["Billed", call.billsec === null ? "–" : duration(call.billsec)],
    ["Account", call.account_id ?? "none"],
    ["Queue", call.queue_id ?? "–"],
    ["Agent", call.agent_id ?? "–"],
    ["Id", call.call_id],
  ];
  const price = call.price;
  return [
    el("header", {}, el("h2", { id: "detail-title" }, `${call.from_num} → ${call.to_num}`),
      el("button", { type: "button", onclick: close, autofocus: true }, "Close")),
    call.note ? el("p", { class: "note" }, sentence(call.note)) : null,
    el("dl", {}, facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
    el("h3", {}, "Price"),
    el("p", {}, `${sentence(price.total)}${price.currency && price.cost_micros !== null ? ` ${price.currency}` : ""}`),
    price.parts.length ? el("ul", {}, price.parts.map(chargeItem)) : null,
    el("h3", {}, "Legs"),
    call.legs.length ? el("ul", {}, call.legs.map((leg) => legItem(leg, zone))) : el("p", { class: "muted" }, "The legs are no longer kept."),
    el("details", {}, el("summary", {}, "Why each column has its value (times in UTC)"),
      el("dl", { class: "rules" }, Object.entries(call.rules).map(([name, rule]) =>
        el("div", {}, el("dt", {}, name), el("dd", {}, rule))))),
  ];
}
