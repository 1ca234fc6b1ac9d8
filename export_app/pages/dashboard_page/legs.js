// What happened on each leg of a call, and when: the bars and arrows of its time line. Pure.

const MOVED_ON_WITHIN = 5_000; // ms after an answered leg ended in which its successor was begun
const GONE_WITHIN = 1_000; // ms: a caller who transfers is let go when the new leg is begun
const TALK_TOLERANCE = 1_500; // ms: the queue states whole seconds

/**
 * The kinds of bars, in the order of the legend.
 * @type {Record<Page.SpanKind, string>}
 */
export const KINDS = { setup: "being set up", rang: "rang", talked: "up", queue: "in the queue", held: "held" };

/**
 * Return when a caller was in the queue: wait_ms up to when the agent answered or the caller left; null if unknown.
 * @param {Api.CallDetail} call
 * @returns {{from: number, to: number} | null} epoch ms
 */
export function queueTime(call) {
  const root = call.legs.find((leg) => leg.role === "root");
  if (!call.wait_ms || !root) return null;
  const agent = call.legs.find((leg) => leg !== root && leg.answered_ts !== null && leg.hangup_ts !== null && call.talk_ms !== null
    && Math.abs(leg.hangup_ts - leg.answered_ts - call.talk_ms) <= TALK_TOLERANCE);
  const to = agent?.answered_ts ?? (call.disposition === "abandoned" ? root.hangup_ts : null);
  return to === null ? null : { from: Math.max(root.created_ts, to - call.wait_ms), to };
}

/**
 * @param {Api.Leg} leg
 * @param {number} now epoch ms
 * @returns {Page.LegSpan[]}
 */
function spansOf(leg, now) {
  const end = leg.hangup_ts ?? now;
  const answered = leg.answered_ts;
  const signs = [leg.progress_ts, leg.progress_media_ts].filter((ms) => ms !== null).filter((ms) => ms <= (answered ?? end));
  const rang = signs.length ? Math.min(...signs) : null;
  /** @type {(Page.LegSpan | null)[]} */
  const spans = [
    { kind: "setup", from: leg.created_ts, to: rang ?? answered ?? end },
    rang === null ? null : { kind: "rang", from: rang, to: answered ?? end },
    answered === null ? null : { kind: "talked", from: answered, to: end },
    ...(leg.holds ?? []).map((hold) => /** @type {Page.LegSpan} */ ({ kind: "held", from: hold.from_ts, to: hold.until_ts })),
  ];
  return spans.filter((span) => span !== null).filter((span) => span.to > span.from);
}

/**
 * Return what happened on each leg, the caller's first, then in the order in which they were made, and where one led to
 * another: by a transfer, or because the dialplan went on, where the call moved on from a party that had answered.
 * @param {Api.CallDetail} call
 * @param {number} now epoch ms: where the bars of legs that are up end
 * @returns {Page.TimeLine}
 */
export function timeLine(call, now) {
  const legs = [...call.legs].sort((one, other) => Number(other.role === "root") - Number(one.role === "root") || one.created_ts - other.created_ts);
  const queue = queueTime(call);
  const rows = legs.map((leg) => ({ leg, end: leg.hangup_ts ?? now, spans: spansOf(leg, now) }));
  if (queue && legs[0]?.role === "root") rows[0].spans.push({ kind: "queue", ...queue });
  /** @type {Page.Arrow[]} */
  const arrows = [];
  legs.forEach((leg, to) => {
    const parent = legs.findIndex((other) => other.leg === leg.child_of);
    if (parent < 0) return;
    const left = legs.findLastIndex((other, n) => n !== to && other.child_of === leg.child_of && other.answered_ts !== null
      && other.answered_ts < leg.created_ts && leg.created_ts - (other.hangup_ts ?? leg.created_ts) <= MOVED_ON_WITHIN);
    // Made for a party that had answered, whose own caller had gone: that one was transferred.
    const caller = legs.find((other) => other.leg === legs[parent].child_of);
    const transferred = caller !== undefined && caller.hangup_ts !== null && caller.hangup_ts <= leg.created_ts + GONE_WITHIN
      && legs[parent].answered_ts !== null && legs[parent].answered_ts < leg.created_ts;
    arrows.push({ at: leg.created_ts, from: left < 0 ? parent : left, to, moved: left >= 0 || transferred });
  });
  return {
    from: Math.min(...legs.map((leg) => leg.created_ts)), to: Math.max(...rows.map((row) => row.end)), rows, arrows };
}
