// What the Now view and the wallboard show, out of what /v1/now says: each figure with its level, or why there is none. Pure.

import { at, count, duration } from "./format.js";
import { levelOf, reasonOf, worstOf } from "./thresholds.js";

/** @typedef {import("./thresholds.js").Thresholds} Thresholds @typedef {import("./thresholds.js").Level} Level */

/**
 * A figure. value: as it is shown; a dash where it is not known, and `note` says why.
 * @typedef {{key: string, name: string, value: string, note: string, level: Level, reason: string}} Figure
 * @typedef {{key: string, queue_id: string | null, account_id: string | null, level: Level, figures: Record<string, Figure>}} QueueLine
 * @typedef {{queue: string | null, account: string | null}} Choice
 */

export const MOST_QUEUES = 100; // with figures of the day, in one answer
const MOST_UP = 2_000; // calls that are counted

const NONE = "–";
const HOUR = 3_600_000;

const inSeconds = (/** @type {number} */ ms) => duration(Math.max(0, ms) / 1000);
const share = (/** @type {number} */ percent) => `${count(percent)}%`;

/**
 * Write a limit as its figure is written: 120 as 2:00 or as 120%.
 * @param {string} key
 * @param {number} limit
 */
export const shownLimit = (key, limit) => (key === "wait" ? duration(limit) : key === "waiting" ? count(limit) : share(limit));

/**
 * @param {string} key
 * @param {string} name
 * @param {string} value
 * @param {string} [note]
 * @returns {Figure}
 */
const plain = (key, name, value, note = "") => ({ key, name, value, note, level: "", reason: "" });

/**
 * @param {string} key that of a measure
 * @param {string} name
 * @param {number | null} amount as thresholds have it
 * @param {string} value
 * @param {string} note
 * @param {Thresholds} thresholds
 * @returns {Figure}
 */
function measured(key, name, amount, value, note, thresholds) {
  const level = levelOf(key, amount, thresholds);
  return { key, name, value, note, level, reason: reasonOf(key, level, thresholds, shownLimit) };
}

/** Why a part of an answer is null, as a sentence. */
const NO_CALLS = "Your key does not have the scope cdr.";
const NO_QUEUES = "Your key does not have the scope queues.";
const ARCHIVED = "A part of the day is in the archive alone, and is not added up here.";
/** Why agents are not shown; `byLink`: because of the link. */
const NO_AGENTS = "Your key does not have the scope agents.";
const TOO_MANY_AGENTS = "More was heard of agents in the last hour than can be added up at once.";

/**
 * Return why a part is missing; scopes: null by a link, which has what it shows.
 * @param {"calls" | "queues" | "agents"} part
 * @param {string[] | null} scopes
 * @returns {string}
 */
export function whyMissing(part, scopes) {
  const may = (/** @type {string} */ scope) => scopes === null || ["operator", "*", scope].some((one) => scopes.includes(one));
  if (part === "calls") return NO_CALLS;
  if (part === "queues") return may("queues") ? ARCHIVED : NO_QUEUES;
  if (scopes === null) return "A link shows no agents.";
  return may("agents") ? TOO_MANY_AGENTS : NO_AGENTS;
}

// By a link there is no account, and one queue.
const isOf = (/** @type {{queue_id: string | null, account_id: string | null}} */ part, /** @type {Choice | null} */ choice) =>
  choice === null || (part.queue_id === choice.queue && (choice.account === null || part.account_id === choice.account));

/**
 * Return the figures of the calls that are up: how many wait, how long the first has, how many there are, and who talks.
 * @param {{waiting: number, up: number, talking: number, since: number | null, more: boolean}} found
 * @param {number} serverNow epoch ms
 * @param {Thresholds} thresholds
 * @returns {Figure[]}
 */
function callFigures({ waiting, up, talking, since, more }, serverNow, thresholds) {
  const waited = since === null ? 0 : Math.floor(Math.max(0, serverNow - since) / 1000);
  const counted = (/** @type {number} */ value) => `${more ? "≥ " : ""}${count(value)}`;
  const cut = more ? `of the newest ${count(MOST_UP)} calls` : "";
  return [
    measured("waiting", "Waiting", waiting, counted(waiting), cut, thresholds),
    measured("wait", "Longest wait", waited, since === null ? NONE : duration(waited), since === null ? "nobody waits" : cut, thresholds),
    plain("up", "Calls up", counted(up), cut),
    plain("talking", "Talking", counted(talking), cut),
  ];
}

/**
 * Return the figures of a day of one queue or of all: by the names of /v1/queues.
 * @param {Api.DayFigures | null} day null: no call was offered
 * @param {Thresholds} thresholds
 * @returns {Figure[]}
 */
function dayFigures(day, thresholds) {
  if (day === null || day.offered === 0) {
    const why = "no calls yet";
    return [plain("offered", "Offered", count(0), "today"), plain("answered", "Answered", count(0), why), ...missing(OF_DAY.slice(2), why)];
  }
  const { offered, answered, abandoned, abandonRatePct, serviceLevelPct, asaMs, slSec, longestWaitMs } = day;
  const unknown = "no wait of them is known";
  return [
    plain("offered", "Offered", count(offered), "today"),
    plain("answered", "Answered", count(answered), `of ${count(offered)}`),
    measured("abandoned", "Abandon rate", abandonRatePct, share(abandonRatePct), `${count(abandoned)} of ${count(offered)}`, thresholds),
    measured("level", "Service level", serviceLevelPct, serviceLevelPct === null ? NONE : share(serviceLevelPct), serviceLevelPct === null ? unknown : `within ${slSec} s`, thresholds),
    plain("asa", "ASA", asaMs === null || !answered ? NONE : inSeconds(asaMs), !answered ? "nobody was answered" : asaMs === null ? unknown : ""),
    plain("longest", "Longest today", inSeconds(longestWaitMs)),
  ];
}

const missing = (/** @type {string[][]} */ names, /** @type {string} */ why) => names.map(([key, name]) => plain(key, name, NONE, why));
const OF_CALLS = [["waiting", "Waiting"], ["wait", "Longest wait"], ["up", "Calls up"], ["talking", "Talking"]];
const OF_DAY = [["offered", "Offered"], ["answered", "Answered"], ["abandoned", "Abandon rate"], ["level", "Service level"], ["asa", "ASA"], ["longest", "Longest today"]];

/**
 * Return the calls that are up and who of them waits, of a choice or of all.
 * @param {Api.CallsNow} calls
 * @param {Choice | null} choice
 */
function callsOf(calls, choice) {
  const ours = calls.queues.filter((one) => isOf(one, choice));
  const since = ours.map((one) => one.waiting_ts).filter((ts) => ts !== null);
  const sum = (/** @type {"up" | "talking" | "waiting"} */ name) => ours.reduce((total, one) => total + one[name], 0);
  const all = choice === null ? calls : { up: sum("up"), talking: sum("talking") };
  return { waiting: sum("waiting"), up: all.up, talking: all.talking, since: since.length ? Math.min(...since) : null, more: calls.more };
}

/**
 * Return the figures of all queues, or of a chosen one, each by its key.
 * @param {Api.NowAnswer} now what /v1/now says
 * @param {{choice: Choice | null, serverNow: number, thresholds: Thresholds, scopes: string[] | null}} how
 * @returns {Record<string, Figure>}
 */
export function figuresOf(now, { choice, serverNow, thresholds, scopes }) {
  const [calls, queues] = [now.calls, now.queues];
  const found = [
    ...(calls === null ? missing(OF_CALLS, whyMissing("calls", scopes)) : callFigures(callsOf(calls, choice), serverNow, thresholds)),
    ...(queues === null ? missing(OF_DAY, whyMissing("queues", scopes))
      : choice === null ? dayFigures(now.day, thresholds)
      : dayOfChoice(queues, choice, thresholds)),
  ];
  return Object.fromEntries(found.map((figure) => [figure.key, figure]));
}

/**
 * @param {Api.QueueDay[]} queues
 * @param {Choice} choice
 * @param {Thresholds} thresholds
 */
function dayOfChoice(queues, choice, thresholds) {
  const ours = queues.filter((one) => isOf(one, choice));
  if (ours.length > 1) return missing(OF_DAY, "Several accounts have a queue of this name: choose the account.");
  // Beyond the queues of one answer nothing says that it has had no calls.
  if (!ours.length && queues.length >= MOST_QUEUES) return missing(OF_DAY, `It is not among the ${MOST_QUEUES} queues with the most calls.`);
  return dayFigures(ours[0] ?? null, thresholds);
}

/**
 * Return a line for each queue that has had calls today or in which somebody waits: what is worst first, and of these where somebody has waited longest.
 * @param {Api.NowAnswer} now
 * @param {{choice: Choice | null, serverNow: number, thresholds: Thresholds, scopes: string[] | null}} how
 * @returns {QueueLine[]}
 */
export function queueLines(now, how) {
  const names = new Map();
  for (const one of [...(now.calls?.queues ?? []), ...(now.queues ?? [])]) {
    if (isOf(one, how.choice)) names.set(JSON.stringify([one.account_id, one.queue_id]), one);
  }
  const lines = [...names].map(([key, { queue_id, account_id }]) => {
    const choice = { queue: queue_id, account: account_id };
    const figures = figuresOf(now, { ...how, choice });
    const level = worstOf(Object.values(figures).map((figure) => figure.level));
    const since = now.calls === null ? null : callsOf(now.calls, choice).since;
    return { key, queue_id, account_id, figures, level, rank: [{ red: 0, amber: 1, "": 2 }[level], since ?? Infinity] };
  });
  lines.sort((one, other) => one.rank[0] - other.rank[0] || (one.rank[1] === other.rank[1] ? 0 : one.rank[1] - other.rank[1]) || (one.queue_id ?? "").localeCompare(other.queue_id ?? ""));
  return lines.map(({ rank, ...line }) => line);
}

/** What an agent does, in words. */
const STATES = { ready: "Ready", offering: "Being rung", incall: "In a call", idle: "Idle", paused: "On a break", offline: "Logged out", unknown: "Unknown" };
const ORDER = ["incall", "offering", "ready", "idle", "paused", "unknown", "offline"];

/**
 * Return how many agents are in each state, in words, who works first.
 * @param {Record<string, number>} states
 * @returns {{state: string, name: string, agents: number}[]}
 */
export const agentStates = (states) => ORDER.concat(Object.keys(states).filter((state) => !ORDER.includes(state))).filter((state) => states[state])
  .map((state) => ({ state, name: stateName(state), agents: states[state] }));

/**
 * @param {string} state
 * @returns {string}
 */
export const stateName = (state) => /** @type {Record<string, string>} */ (STATES)[state] ?? state;

/**
 * Return the agents, who works first, and who has done so for longest.
 * @param {Api.AgentState[]} agents
 */
export const agentLines = (agents) => [...agents].sort((one, other) =>
  ORDER.indexOf(one.state) - ORDER.indexOf(other.state) || (one.since_ts ?? 0) - (other.since_ts ?? 0) || one.agent_id.localeCompare(other.agent_id));

/**
 * Return for how long something has been so; null: since before what is read.
 * @param {number | null} since epoch ms
 * @param {number} serverNow
 */
export const lasted = (since, serverNow) => (since === null ? "over an hour" : inSeconds(Math.floor(Math.max(0, serverNow - since) / 1000) * 1000));

/** How old what is shown may be before the page says so: the server says every 5 s that nothing has changed. */
export const LATE_MS = 15_000;

/**
 * Return how fresh what is shown is: {tone, text, age}. tone: ok, late (it is there, but old) or bad; text says so
 * without what changes every second, so that it is read out once.
 * @param {{mode: import("./now_feed.js").Mode, age: number, heard: boolean, since: number, message: string}} feed
 * @param {string} zone
 * @returns {{tone: "ok" | "late" | "bad", text: string, age: string}}
 */
export function freshness({ mode, age, heard, since, message }, zone) {
  const old = heard ? `the figures are ${age < HOUR ? `${duration(Math.floor(age / 1000))} old` : "over an hour old"}` : "there are no figures yet";
  if (mode === "refused") return { tone: "bad", text: message, age: "" };
  if (mode === "away") return { tone: "bad", text: `Disconnected since ${at(since, zone, "second")}. ${message} This page keeps trying.`, age: old };
  if (!heard) return { tone: "ok", text: "Connecting…", age: "" };
  if (age > LATE_MS) return { tone: "late", text: mode === "live" ? "The server is there, but cannot read what is up." : "Nothing new has come.", age: old };
  const read = `read ${Math.floor(age / 1000)} s ago`;
  return { tone: "ok", text: mode === "live" ? "Live" : mode === "polling" ? "Without a stream: asked every 5 seconds" : "Connecting…", age: read };
}
