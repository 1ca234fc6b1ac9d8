// A call in one sentence. Pure but for the clock's zone.

import { at, seconds } from "./format.js";
import { timeLine } from "./legs.js";

/** @type {Record<string, string>} */
const PARTIES = { caller: "the caller", callee: "the called party", switch: "the switch" };
/** @type {Record<string, string>} */
const ENDS = {
  abandoned: "Nobody took it", busy: "It was busy", cancelled: "The caller gave up before it was answered", failed: "It failed",
  lost: "Nobody heard its end, which is estimated", no_answer: "Nobody answered", rejected: "It was rejected",
};

/** @param {Api.CallDetail} call one that has ended */
function movedOn(call) {
  const { rows, arrows } = timeLine(call, call.end_ts ?? 0);
  const numbers = arrows.filter((arrow) => arrow.moved).map((arrow) => rows[arrow.to].leg.dialed_num);
  return numbers.length ? ` On its way it moved on to ${numbers.join(", then to ")}.` : "";
}

/**
 * Say who called whom, when, through which queue, who answered, for how long, and who ended it.
 * @param {Api.CallDetail} call
 * @param {string} zone the time zone of its times
 */
export function story(call, zone) {
  const into = call.queue_id ? `, came into the queue ${call.queue_id}${call.wait_ms === null ? "" : ` and waited ${seconds(call.wait_ms)}`}` : "";
  const first = `${call.from_num} called ${call.to_num} on ${at(call.start_ts, zone)}${into}.`;
  if (call.end_ts === null) return `${first} ${call.answered ? "It was answered and is up now." : "It rings now."}`;
  if (!call.answered) return `${first} ${ENDS[call.disposition ?? ""] ?? "It was not answered"}${call.hangup_cause ? ` (${call.hangup_cause})` : ""}.`;
  const ended = call.hung_up_by ? ` ${PARTIES[call.hung_up_by]} hung up` : " it ended";
  if (call.agent_id) {
    return `${first} The agent ${call.agent_id} took it${call.talk_ms === null ? "" : ` and talked ${seconds(call.talk_ms)}`}; then${ended}.`;
  }
  const held = call.hold_ms ? `, ${seconds(call.hold_ms)} of it on hold` : "";
  const lasted = `${seconds((call.billsec ?? 0) * 1000)}${held}; then${ended}.`;
  if (call.disposition === "abandoned") return `${first} ${ENDS.abandoned}: it was up for ${lasted}`;
  return `${first} It was answered and lasted ${lasted}${movedOn(call)}`;
}
