// The list of calls, and one of them explained.

import { el, table } from "./dom.js";
import { at, duration, money, sentence } from "./format.js";

const ARROWS = { inbound: "←", outbound: "→", internal: "↔" };

const state = (call) => (call.end_ts === null
  ? el("span", { class: "badge d-up" }, call.answered ? "talking" : "ringing")
  : el("span", { class: `badge d-${call.disposition}` }, (call.disposition ?? "").replace("_", " ")));

const lasted = (call) => duration(call.end_ts === null ? Math.max(0, (Date.now() - call.start_ts) / 1000) : call.duration_sec);

const cost = (call, currency) => (call.end_ts === null ? "" : call.cost_micros === null ? "unrated"
  : money(call.cost_micros, currency, 6));

/** A table of calls. operator: with their accounts; currency: of all of them, or null; open(call): show it whole. */
export function callList(calls, { zone, operator, currency, open }) {
  const began = (call) => el("button", { type: "button", class: "link", title: "Show this call",
    "data-keep": `${call.call_id} ${call.start_ts}`,
    onclick: () => open(call) }, el("span", {}, at(call.start_ts, zone, "date")), " ", el("span", {}, at(call.start_ts, zone, "second")));
  return el("div", { class: "scroll" }, table("Recent calls", [
    { name: "Began", cls: "began", cell: began },
    { name: "", cls: "wide", cell: (call) => el("span", { title: call.direction, role: "img", "aria-label": call.direction }, ARROWS[call.direction]) },
    { name: "From", cls: "name", cell: (call) => call.from_num },
    { name: "To", cls: "name", cell: (call) => call.to_num },
    { name: "Result", cell: state },
    { name: "Lasted", cls: "wide number", cell: lasted },
    { name: "Queue", cls: "wide name", cell: (call) => call.queue_id ?? "" },
    { name: "Agent", cls: "wide name", cell: (call) => call.agent_id ?? "" },
    { name: "Cost", cls: "wide number", cell: (call) => cost(call, currency) },
    ...(operator ? [{ name: "Account", cls: "wide name", cell: (call) => call.account_id ?? "none" }] : []),
  ], calls));
}

const moment = (ms, zone) => (ms === null ? "–" : at(ms, zone));

function leg(one, zone) {
  const place = one.child_of === null ? one.role : `for leg ${one.child_of}`;
  return el("li", {}, el("strong", {}, `Leg ${one.leg}`), ` ${place}, ${one.off_net ? "off-net" : "on-net"}: `,
    `${one.caller_num} → ${one.dialed_num}`, el("br"),
    el("span", { class: "muted" }, `${one.channel} · made ${moment(one.created_ts, zone)}, answered `
      + `${moment(one.answered_ts, zone)}, ended ${moment(one.hangup_ts, zone)} ${one.hangup_cause ?? ""}`));
}

const part = (one) => el("li", {}, el("strong", {}, `${one.direction} ${one.number}`), `, ${one.seconds} s`,
  one.rate ? ` · ${one.rate}` : "", one.charged ? ` · ${one.charged}` : "", el("br"), el("span", { class: "muted" }, one.priced));

/** One call with its legs, its price and the rules behind its columns; close() closes it. */
export function callDetail(call, zone, close) {
  const facts = [
    ["Result", [state(call), ` ${call.hangup_cause ?? ""}${call.estimated ? " (its end is an estimate)" : ""}`]],
    ["Began", at(call.start_ts, zone)],
    ["Answered", moment(call.answer_ts, zone)],
    ["Ended", moment(call.end_ts, zone)],
    ["Lasted", lasted(call)],
    ["Billed", call.billsec === null ? "–" : duration(call.billsec)],
    ["Account", call.account_id ?? "none"],
    ["Queue", call.queue_id ?? "–"],
    ["Agent", call.agent_id ?? "–"],
    ["Id", call.call_id],
  ];
  const price = call.price;
  return [
    el("header", {}, el("h2", { id: "detail-title" }, `${call.from_num} ${ARROWS[call.direction]} ${call.to_num}`),
      el("button", { type: "button", onclick: close, autofocus: true }, "Close")),
    call.note ? el("p", { class: "note" }, sentence(call.note)) : null,
    el("dl", {}, facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
    el("h3", {}, "Price"),
    el("p", {}, `${sentence(price.total)}${price.currency && price.cost_micros !== null ? ` ${price.currency}` : ""}`),
    price.parts.length ? el("ul", {}, price.parts.map(part)) : null,
    el("h3", {}, "Legs"),
    call.legs.length ? el("ul", {}, call.legs.map((one) => leg(one, zone))) : el("p", { class: "muted" }, "They are not kept any more."),
    el("details", {}, el("summary", {}, "Why each column is what it is (times in UTC)"),
      el("dl", { class: "rules" }, Object.entries(call.rules).map(([name, rule]) =>
        el("div", {}, el("dt", {}, name), el("dd", {}, rule))))),
  ];
}
