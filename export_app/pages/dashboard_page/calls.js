// The list of calls: its columns, and how one call is written in it.

import { el, scroller } from "./dom.js";
import { at, count, duration, money, seconds } from "./format.js";

/** @type {Record<string, string>} */
const ARROWS = { inbound: "←", outbound: "→", internal: "↔" };

/**
 * Make the badge of what became of a call.
 * @param {Pick<Page.Call, "end_ts" | "answered" | "disposition">} call
 */
export const state = (call) => (call.end_ts === null
  ? el("span", { class: "badge d-up" }, call.answered ? "talking" : "ringing")
  : el("span", { class: `badge d-${call.disposition}` }, (call.disposition ?? "").replace("_", " ")));

/**
 * Format how long a call was, or is by now.
 * @param {Pick<Page.Call, "start_ts" | "end_ts" | "duration_sec">} call
 */
export const length = (call) => duration(call.end_ts === null ? Math.max(0, (Date.now() - call.start_ts) / 1000) : call.duration_sec);

/**
 * Return how many decimals amounts need at most, 2 to 6, so that all of them can have as many.
 * @param {number[]} amounts micros
 */
export const decimalsOf = (amounts) => amounts.reduce((most, micros) => Math.max(most, 6 - (/0*$/.exec(String(micros))?.[0] ?? "").length), 2);

/** @type {(call: Page.Call, digits: number) => string} */
const cost = (call, digits) => (call.end_ts === null ? "" : call.cost_micros === null ? "unrated"
  : money(call.cost_micros, call.currency, digits, digits));
const time = (/** @type {number | null} */ ms) => (ms === null ? "" : seconds(ms));

/** @type {Page.CallColumn[]} */
const COLUMNS = [
  { key: "direction", name: "", title: "Direction", phone: "first", fields: ["direction"], cell: (call) =>
    el("span", { title: call.direction, role: "img", "aria-label": call.direction }, ARROWS[call.direction]) },
  { key: "from", name: "From", cls: "name", phone: "first", fields: ["from_num"], cell: (call) => call.from_num },
  { key: "to", name: "To", cls: "name to", phone: "first", fields: ["to_num"], cell: (call) => call.to_num },
  { key: "result", name: "Result", fields: ["end_ts", "answered", "disposition"], cell: state },
  { key: "duration", name: "Duration", cls: "number", fields: ["end_ts", "duration_sec"], cell: length },
  { key: "billed", name: "Billed", cls: "number", label: "billed", fields: ["billsec"], cell: (call) => (call.billsec === null ? "" : duration(call.billsec)) },
  { key: "queue", name: "Queue", cls: "name", label: "queue", fields: ["queue_id"], cell: (call) => call.queue_id ?? "" },
  { key: "wait", name: "Wait", cls: "number", label: "waited", fields: ["wait_ms"], cell: (call) => time(call.wait_ms) },
  { key: "agent", name: "Agent", cls: "name", label: "agent", fields: ["agent_id"], cell: (call) => call.agent_id ?? "" },
  { key: "talk", name: "Talk", cls: "number", label: "agent talked", fields: ["talk_ms"], cell: (call) => time(call.talk_ms) },
  { key: "cost", name: "Cost", cls: "number", fields: ["end_ts", "cost_micros", "currency"], cell: cost },
  { key: "account", name: "Account", cls: "name", label: "account", fields: ["account_id"], cell: (call) => call.account_id ?? "none" },
  { key: "destination", name: "Destination", cls: "name", label: "to", fields: ["destination"], cell: (call) => call.destination ?? "" },
  { key: "cause", name: "Hangup cause", cls: "name", label: "", fields: ["hangup_cause"], cell: (call) => call.hangup_cause ?? "" },
  { key: "hung_up", name: "Hung up by", label: "ended by", fields: ["hung_up_by"], cell: (call) => call.hung_up_by ?? "" },
  { key: "ring", name: "Rang", cls: "number", label: "rang", fields: ["ring_ms"], cell: (call) => time(call.ring_ms) },
  { key: "pdd", name: "PDD", title: "Post-dial delay: until the first sign of a called party", cls: "number", label: "PDD", fields: ["pdd_ms"], cell: (call) => time(call.pdd_ms) },
  { key: "hold", name: "On hold", cls: "number", label: "held", fields: ["hold_ms"], cell: (call) => time(call.hold_ms || null) },
  { key: "mos", name: "MOS", title: "Quality of what the switch received from the caller, 1 to 5", cls: "number", label: "MOS", fields: ["rx_mos"], cell: (call) => call.rx_mos?.toFixed(2) ?? "" },
  { key: "codec", name: "Codec", label: "", fields: ["codec"], cell: (call) => call.codec ?? "" },
  { key: "gateway", name: "Gateway", cls: "name", label: "over", carriers: true, fields: ["gateway"], cell: (call) => call.gateway ?? "" },
  { key: "sip", name: "SIP status", cls: "number", label: "SIP", carriers: true, fields: ["sip_status"], cell: (call) => call.sip_status ?? "" },
  { key: "id", name: "Call id", cls: "name", label: "", fields: ["call_id"], cell: (call) => call.call_id },
];
const USUAL = ["direction", "from", "to", "result", "duration", "queue", "agent", "cost"];

/**
 * Return the columns that a view has.
 * @param {string} chosen "from,to,…", or nothing for the usual ones
 * @param {boolean} operator
 */
export function columnsOf(chosen, operator) {
  const keys = chosen ? chosen.split(",") : [...USUAL, ...(operator ? ["account"] : [])];
  return COLUMNS.filter((column) => keys.includes(column.key) && (operator || !column.carriers));
}

/**
 * Return the `fields` of the API that these columns need; call_id and start_ts open a call.
 * @param {Page.CallColumn[]} columns
 */
export const fieldsOf = (columns) => [...new Set(["call_id", "start_ts", ...columns.flatMap((column) => column.fields)])].join(",");

/**
 * Make the choice of columns.
 * @param {string} chosen "from,to,…", or nothing for the usual ones
 * @param {boolean} operator
 * @param {(keys: string[]) => void} choose is told the new ones
 */
export function columnChoice(chosen, operator, choose) {
  const shown = columnsOf(chosen, operator).map((column) => column.key);
  return el("details", { class: "chooser", "data-keep": "columns" }, el("summary", { "data-keep": "columns summary" }, "Columns"),
    el("div", { class: "boxes" }, COLUMNS.filter((column) => operator || !column.carriers).map((column) => {
      const box = el("input", { type: "checkbox", checked: shown.includes(column.key),
        "aria-label": `Column: ${column.name || column.title}`, "data-keep": `column ${column.key}` });
      box.addEventListener("change", () => choose(COLUMNS.map(({ key }) => key)
        .filter((key) => (key === column.key ? box.checked : shown.includes(key)))));
      return el("label", {}, box, ` ${column.name || column.title}`);
    })));
}

/**
 * Make a table of calls. The roles keep it a table on the phone, where each call is two lines.
 * @param {Page.Call[]} calls
 * @param {{zone: string, columns: Page.CallColumn[], open: (call: Page.Call) => void}} how open: shows a call's page
 */
export function callList(calls, { zone, columns, open }) {
  const started = (/** @type {Page.Call} */ call) => el("button", { type: "button", class: "link", title: "Show details",
    "data-keep": `${call.call_id} ${call.start_ts}`,
    onclick: () => open(call) }, el("span", {}, at(call.start_ts, zone, "date")), " ", el("span", {}, at(call.start_ts, zone, "second")));
  const digits = decimalsOf(calls.flatMap((call) => call.cost_micros || []));
  const cell = (/** @type {Page.Call} */ call) => (/** @type {Page.CallColumn} */ column) => {
    const value = column.cell(call, digits);
    return el("td", { role: "cell", class: [column.cls, column.phone, value === "" ? "none" : ""].filter(Boolean).join(" ") || null,
      "data-label": value === "" ? null : column.label }, value);
  };
  return scroller("Calls", el("table", { role: "table", class: "calls" },
    el("caption", { class: "hidden" }, `${count(calls.length)} calls`),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, el("th", { role: "columnheader", scope: "col" }, "Started"),
      columns.map(({ name, title, cls }) => el("th", { role: "columnheader", scope: "col", class: cls, title }, name || el("span", { class: "hidden" }, title))))),
    el("tbody", { role: "rowgroup" }, calls.map((call) => el("tr", { role: "row" },
      el("td", { role: "cell", class: "started first" }, started(call)), columns.map(cell(call)))))));
}
