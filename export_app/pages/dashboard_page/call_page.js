// One call: what became of it, its price, its legs, and the rule behind each of its values.

import { length, state } from "./calls.js";
import { el, prose, scroller, table } from "./dom.js";
import { at, count, duration, money, seconds, sentence } from "./format.js";
import { story } from "./story.js";
import { legLine } from "./timeline.js";

/** @type {Record<string, string>} */
const PARTIES = { caller: "the caller", callee: "the called party", switch: "the switch" };

/** @type {(ms: number | null, zone: string) => string} */
const moment = (ms, zone) => (ms === null ? "–" : at(ms, zone));

/**
 * Make a list of named facts; a fact that is null is left out, and a list of none of them, too.
 * @param {[string, Page.Child, string?][]} entries name, value, and what to know of it
 * @param {Page.Attributes} attributes
 */
function facts(entries, attributes = {}) {
  const known = entries.filter(([, value]) => value !== null && value !== undefined);
  return known.length ? el("dl", attributes, known.map(([name, value, hint]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, value, hint ? el("span", { class: "muted" }, ` ${hint}`) : null)))) : null;
}

const time = (/** @type {number | null} */ ms) => (ms === null ? null : seconds(ms));

const score = (/** @type {number | null} */ mos) => (mos === null ? null : `${mos.toFixed(2)} of 5`);

/** @type {(title: string, content: Element | null) => Element[]} */
const section = (title, content) => (content ? [el("h3", {}, title), content] : []);

/**
 * List recordings: links where the operator's server has them, with a player that loads nothing by itself; otherwise text.
 * @param {Api.Recording[] | null} recordings
 */
function recordingList(recordings) {
  if (!recordings?.length) return null;
  return el("ul", {}, recordings.map(({ path, url }) => {
    const name = path ?? "not a file";
    return el("li", {}, url === null ? name : [
      el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, name),
      el("audio", { src: url, controls: true, preload: "none", "aria-label": `Play ${name}` }),
    ]);
  }));
}

/** @param {Api.CallDetail} call */
function course(call) {
  return facts([
    ["Hung up by", call.hung_up_by && PARTIES[call.hung_up_by]],
    ["Post-dial delay", time(call.pdd_ms)],
    ["Ringing", time(call.ring_ms)],
    ["Wait in the queue", time(call.wait_ms)],
    ["Talk with the agent", time(call.talk_ms)],
    ["On hold", call.hold_ms === 0 ? "no" : time(call.hold_ms)],
    ["Voicemail", call.voicemail === null ? null : call.voicemail ? "a message was left" : "no message"],
    ["Received from the caller", score(call.rx_mos)],
    ["Codec", call.codec],
    ["Destination", call.destination],
    ["Gateway", call.gateway ?? null],
    ["SIP status", call.sip_status ?? null, "of the last carrier"],
    ["Caller's address", call.source_ip],
    ["Imported from", call.imported],
  ]);
}

/** @type {(leg: Api.Leg, zone: string) => HTMLElement} */
function legItem(leg, zone) {
  const place = leg.child_of === null ? leg.role : `for leg ${leg.child_of}`;
  const { quality } = leg;
  const technical = facts([
    // Of a leg that came in these say when the switch itself sent a sign.
    ["Rang", leg.direction === "outbound" && leg.progress_ts !== null ? at(leg.progress_ts, zone) : null],
    ["Early media", leg.direction === "outbound" && leg.progress_media_ts !== null ? at(leg.progress_media_ts, zone) : null],
    ["Delay of this leg", time(leg.pdd_ms)],
    ["Held by this party", leg.hold_ms ? time(leg.hold_ms) : null],
    ["Ended by", leg.hangup_disposition],
    ["SIP status", leg.sip_status],
    ["Gateway", leg.gateway],
    ["Codec", leg.codec],
    ["Received from this party", quality && (score(quality.rx_mos) ?? "not rated"),
      quality ? `${count(quality.packets_in)} packets, ${count(quality.packets_skipped)} skipped` : ""],
    ["Address", leg.source_ip],
    ["User agent", leg.user_agent],
    ["SIP Call-ID", leg.sip_call_id],
    ["Channel", leg.channel],
    ["Recorded in", recordingList(leg.recordings)],
  ]);
  return el("li", {}, el("strong", {}, `Leg ${leg.leg}`), ` ${place}, ${leg.off_net ? "off-net" : "on-net"}: `,
    `${leg.caller_num} → ${leg.dialed_num}`, el("br"),
    el("span", { class: "muted" }, `created ${moment(leg.created_ts, zone)}, answered ${moment(leg.answered_ts, zone)}, `
      + `ended ${moment(leg.hangup_ts, zone)} ${leg.hangup_cause ?? ""}`),
    technical && el("details", {}, el("summary", {}, "Sound and SIP"), technical));
}

/** @type {(micros: number | null, currency: string | null) => string} */
const amount = (micros, currency) => (micros === null ? "unrated" : money(micros, currency, 6, 6));

/** @type {(price: Api.CallPrice) => HTMLElement} */
const chargeTable = ({ parts, currency }) => scroller("Charges", table("Charges", [
  { name: "Charge", cls: "name", cell: (charge) => [el("strong", {}, `${charge.direction} ${charge.number}`), charge.charged ? el("span", { class: "muted" }, ` ${charge.charged}`) : ""] },
  { name: "Rate", cls: "name", cell: (charge) => [charge.rate ?? "none", charge.terms
    ? el("span", { class: "muted" }, ` ${money(charge.terms.per_min_micros, currency, 6)} a minute${charge.terms.connection_fee_micros ? ` and ${money(charge.terms.connection_fee_micros, currency, 6)} a call` : ""}, from ${charge.terms.prefix}`) : ""] },
  { name: "Seconds", cls: "number", cell: (charge) => (charge.billed_sec === null ? count(charge.seconds) : `${count(charge.seconds)} → ${count(charge.billed_sec)}`) },
  { name: "Sum", cls: "number", cell: (charge) => amount(charge.cost_micros, currency) },
], parts));

/** @type {Record<string, string>} */
const CAUSES = { rerate: "priced again", event: "an event came late", cdr_file: "the switch's CDR file", archive: "the archive had another price", other: "by hand" };

/** @type {(before: Api.FormerPrice[], zone: string) => HTMLElement | null} */
const formerPrices = (before, zone) => (before.length ? el("ul", {}, before.map((price) => el("li", {},
  `${price.cost_micros === null ? `unrated (${price.unrated})` : amount(price.cost_micros, price.currency)} until ${at(price.replaced_ts, zone)}: `,
  el("span", { class: "muted" }, `${CAUSES[price.cause] ?? price.cause}, for ${price.account_id ?? "no account"}`)))) : null);

/**
 * Make the page of a call.
 * @param {Api.CallDetail} call
 * @param {string} zone the time zone of its times
 * @param {() => void} close closes it
 */
export function callPage(call, zone, close) {
  const { price } = call;
  return [
    el("header", {}, el("h2", { id: "detail-title" }, `${call.from_num} → ${call.to_num}`),
      el("button", { type: "button", onclick: close, autofocus: true }, "Close")),
    el("p", { class: "story" }, story(call, zone)),
    call.note ? el("p", { class: "note" }, prose(sentence(call.note))) : null,
    facts([
      ["Result", [state(call), ` ${call.hangup_cause ?? ""}${call.estimated ? " (the end is estimated)" : ""}`]],
      ["Started", at(call.start_ts, zone)],
      ["Answered", moment(call.answer_ts, zone)],
      ["Ended", moment(call.end_ts, zone)],
      ["Duration", length(call)],
      ["Billed", call.billsec === null ? "–" : duration(call.billsec)],
      ["Account", call.account_id ?? "none"],
      ["Queue", call.queue_id],
      ["Agent", call.agent_id],
    ]),
    ...section("Time line", legLine(call, zone)),
    ...section("How it went", course(call)),
    ...section("Recordings", recordingList(call.recordings)),
    ...section("Variables", call.vars && facts(Object.entries(call.vars))),
    el("h3", {}, "Price"),
    el("p", {}, `${sentence(price.total)}${price.currency && price.parts.length && price.cost_micros !== null ? ` ${price.currency}` : ""}`),
    price.parts.length ? chargeTable(price) : null,
    price.parts.length ? el("details", {}, el("summary", {}, "How each charge was worked out"),
      el("ul", {}, price.parts.map((charge) => el("li", {}, `${charge.direction} ${charge.number}: `, el("span", { class: "muted" }, charge.priced))))) : null,
    ...section("Prices before", formerPrices(price.before, zone)),
    el("h3", {}, "Legs"),
    call.legs.length ? el("ul", {}, call.legs.map((leg) => legItem(leg, zone))) : el("p", { class: "muted" }, "The legs are no longer kept."),
    ...section("Identifiers", facts([["Call", call.call_id], ["SIP Call-ID", call.sip_call_id], ["Switch", call.switch]])),
    el("details", {}, el("summary", {}, "Why each column has its value (times in UTC)"),
      el("dl", { class: "rules" }, Object.entries(call.rules).map(([name, rule]) =>
        el("div", {}, el("dt", {}, name), el("dd", {}, rule))))),
  ];
}
