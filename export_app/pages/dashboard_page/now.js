// The view of now: calls that are up, who waits, what agents do, and each queue's day.

import { agentLines, agentStates, figuresOf, freshness, lasted, queueLines, stateName, MOST_QUEUES, whyMissing } from "./board.js";
import { byId, el, field, replace, scroller } from "./dom.js";
import { FILTERS } from "./filters.js";
import { count, sentence } from "./format.js";
import { LiveTable, setText, Tiles } from "./live_parts.js";
import { NowFeed } from "./now_feed.js";
import { keptThresholds, readThresholds, writeThresholds } from "./thresholds.js";
import { ThresholdForm } from "./threshold_form.js";
import { WallLinks } from "./wall_links.js";

/**
 * What is shown: of whom, of which queue, and from when it is amber and red.
 * @typedef {Page.View} View its account, queue_id, limits and tz
 * @typedef {{operator: boolean, scopes: string[]}} Who
 */

const TICK = 1_000; // ms: waits count up
const NO_FILTERS = Object.fromEntries(Object.keys(FILTERS).filter((name) => !["account", "queue_id"].includes(name)).map((name) => [name, ""]));

/** @type {{view: View, who: Who, feed: NowFeed, parts: ReturnType<typeof cards>} | null} */
let open = null;
let timer = 0;
/** @type {(error: import("./api.js").ApiError) => void} */
let refused = () => {};
/** @type {(view: View) => void} */
let go = () => {};
/** @type {ThresholdForm} */
let thresholdForm;
/** @type {WallLinks} */
let wallLinks;

const secondsOf = (/** @type {View} */ view) => readThresholds(view.limits || keptThresholds());

/**
 * Return the cards of the view, and what fills each.
 * @param {View} view
 * @param {Who} who
 */
function cards(view, who) {
  const account = who.operator && !view.account ? [{ name: "Account", cls: "name", cell: (/** @type {any} */ row) => row.account_id ?? "none" }] : [];
  const queue = { name: "Queue", cls: "name", cell: (/** @type {any} */ row) => row.queue_id ?? "not named yet" };
  const figure = (/** @type {string} */ name, /** @type {string} */ key, cls = "number") => ({ name, cls, cell: (/** @type {any} */ row) => row.figures[key] });
  const queues = new LiveTable("Queues", [queue, ...account, figure("Waiting", "waiting"), figure("Longest wait", "wait"), figure("Offered", "offered"), figure("Answered", "answered"),
    figure("Abandon rate", "abandoned"), figure("Service level", "level"), figure("ASA", "asa"), figure("Longest today", "longest")], (row) => row.key);
  // Two callers may have the same number, or none; whoever waits in a place of the list is one of them.
  const callers = new LiveTable("Waiting callers", [{ name: "Waits", cls: "number", cell: (row) => row.waits }, { name: "From", cls: "name", cell: (row) => row.from_num ?? "withheld" }, queue, ...account], (row) => row.key);
  const agents = new LiveTable("Agents", [{ name: "Agent", cls: "name", cell: (row) => row.agent_id }, { name: "State", cls: "name", cell: (row) => stateName(row.state) },
    { name: "For", cls: "number", cell: (row) => row.lasted }, ...account], (row) => JSON.stringify([row.account_id, row.agent_id]));
  const card = (/** @type {string} */ title, /** @type {LiveTable} */ table, cls = "card") => {
    const note = el("p", { class: "muted" });
    const scroll = scroller(title, table.element);
    return { element: el("section", { class: cls }, el("h3", {}, title), scroll, note), table, scroll, note };
  };
  return { queues: card("Queues, today", queues, "card whole"), callers: card("Waiting callers", callers), agents: card("Agents", agents) };
}

/**
 * Show rows, or why there are none.
 * @param {Card} card
 * @param {any[]} rows
 * @param {string} note
 */
function fill({ table, scroll, note: line }, rows, note) {
  scroll.hidden = rows.length === 0;
  table.show(rows);
  setText(line, note);
}

let tiles = /** @type {Tiles} */ (/** @type {unknown} */ (null));

function draw() {
  if (!open) return;
  const { view, who, feed, parts } = open;
  const fresh = freshness({ mode: feed.mode, age: feed.age(), heard: feed.now !== null, since: feed.since, message: sentence(feed.error?.message ?? "") }, view.tz);
  byId("now-state").dataset.tone = fresh.tone;
  setText(byId("now-state"), [fresh.text, fresh.age].filter(Boolean).join(" · "));
  byId("now-view").classList.toggle("stale", fresh.tone !== "ok");
  if (feed.now === null) {
    setText(byId("now-said"), fresh.text);
    return;
  }
  const { now } = feed;
  // What is old does not go on counting: nobody knows whether they still wait.
  const serverNow = fresh.tone === "ok" ? feed.serverNow() : feed.asOf;
  const thresholds = secondsOf(view);
  const choice = view.queue_id ? { queue: view.queue_id, account: view.account || null } : null;
  const how = { choice, serverNow, thresholds, scopes: who.scopes };
  const figures = Object.values(figuresOf(now, how));
  tiles.show(figures);
  const alarms = figures.filter(({ level }) => level).map(({ name, level }) => `${name} is ${level}.`);
  setText(byId("now-said"), [fresh.tone === "ok" ? "" : fresh.text, ...alarms].join(" "));
  drawQueues(parts.queues, now, how);
  drawCallers(parts.callers, now, how);
  drawAgents(parts.agents, now, how);
  showQueues(now);
}

/** @typedef {Parameters<typeof figuresOf>[1]} How @typedef {ReturnType<typeof cards>["queues"]} Card */

const drawQueues = (/** @type {Card} */ card, /** @type {Api.NowAnswer} */ now, /** @type {How} */ how) => {
  const lines = queueLines(now, how);
  const cut = (now.queues?.length ?? 0) >= MOST_QUEUES ? `The ${MOST_QUEUES} queues with the most calls, and those that have calls now.` : "";
  fill(card, lines, now.queues === null ? whyMissing("queues", how.scopes) : lines.length ? cut : "No queue has had a call today.");
};

const drawCallers = (/** @type {Card} */ card, /** @type {Api.NowAnswer} */ now, /** @type {How} */ how) => {
  if (now.calls === null) {
    fill(card, [], whyMissing("calls", how.scopes));
    return;
  }
  const { choice } = how;
  const seen = new Map();
  const rows = now.calls.callers
    .filter((one) => choice === null || (one.queue_id === choice.queue && (choice.account === null || one.account_id === choice.account)))
    .map((one) => {
      const name = JSON.stringify([one.waiting_ts, one.from_num, one.queue_id, one.account_id]);
      seen.set(name, (seen.get(name) ?? 0) + 1);
      return { ...one, waits: lasted(one.waiting_ts, how.serverNow), key: `${name} ${seen.get(name)}` };
    });
  const cut = now.calls.waiting > now.calls.callers.length ? `The ${now.calls.callers.length} who have waited longest, of ${count(now.calls.waiting)}.` : "";
  fill(card, rows, rows.length ? cut : cut || "Nobody waits.");
};

const drawAgents = (/** @type {Card} */ card, /** @type {Api.NowAnswer} */ now, /** @type {How} */ how) => {
  if (now.agents === null) {
    fill(card, [], whyMissing("agents", how.scopes));
    return;
  }
  const { states, agents } = now.agents;
  const summary = agentStates(states).map(({ name, agents: number }) => `${name}: ${count(number)}`).join(" · ");
  fill(card, agentLines(agents).map((one) => ({ ...one, lasted: lasted(one.since_ts, how.serverNow) })),
    agents.length ? `${summary}${how.choice ? ". Of every queue: nothing says which queues an agent serves." : ""}` : "No agents are known.");
};

/** Offer the queues that are known, and the one that is chosen. */
function showQueues(/** @type {Api.NowAnswer | null | undefined} */ now) {
  if (!open) return;
  const { view, who } = open;
  const select = field(byId("now-form"), "queue");
  const named = new Map([["", "all queues"]]);
  const several = who.operator && !view.account;
  for (const { queue_id, account_id } of [...(now?.queues ?? []), ...(now?.calls?.queues ?? [])]) {
    if (queue_id !== null) named.set(JSON.stringify([account_id, queue_id]), several ? `${queue_id} · ${account_id ?? "no account"}` : queue_id);
  }
  const chosen = [...named.keys()].find((key) => key && view.queue_id && JSON.parse(key)[1] === view.queue_id && (!view.account || JSON.parse(key)[0] === view.account));
  const value = view.queue_id ? chosen ?? JSON.stringify([view.account || null, view.queue_id]) : "";
  if (!named.has(value)) named.set(value, view.queue_id);
  const as = JSON.stringify([...named]);
  if (select.dataset.as !== as && document.activeElement !== select) {
    select.dataset.as = as;
    select.replaceChildren(...[...named].map(([key, text]) => el("option", { value: key }, text)));
  }
  if (document.activeElement !== select) select.value = value;
}

/** Return the address of the wallboard that shows the same. */
function wallAddress(/** @type {View} */ { account, queue_id, limits }) {
  const parameters = Object.entries({ account, queue_id, limits }).filter(([, value]) => value);
  return `wallboard${parameters.length ? `#${new URLSearchParams(parameters)}` : ""}`;
}

/**
 * Make the view's own forms work. go(view) shows another one; refused(error): the session does not open it any more.
 * @param {{go: (view: View) => void, refused: (error: import("./api.js").ApiError) => void}} how
 */
export function startNow(how) {
  ({ go, refused } = how);
  const form = byId("now-form");
  const queues = field(form, "queue");
  tiles = new Tiles(byId("now-tiles"));
  form.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    go({ account: field(form, "account").value.trim(), queue_id: "" });
  });
  queues.addEventListener("change", () => {
    const [account, queue] = queues.value ? JSON.parse(queues.value) : [null, ""];
    go(queue && open?.who.operator && account ? { account, queue_id: queue } : { queue_id: queue });
  });
  thresholdForm = new ThresholdForm(byId("thresholds"), (text) => go({ limits: text }));
  wallLinks = new WallLinks(byId("wall-links"));
  // A stream is one of the six connections that a browser has to a server: none for a page that nobody sees.
  document.addEventListener("visibilitychange", () => {
    if (!open) return;
    if (document.hidden) open.feed.stop();
    else open.feed.start();
  });
}

/**
 * Show the view; returns what it is: with no filter but account and queue, and with its thresholds.
 * @param {View} view
 * @param {Who} who
 * @returns {View}
 */
export function openNow(view, who) {
  const before = open;
  /** @type {View} */
  const shown = { ...view, ...NO_FILTERS, limits: writeThresholds(secondsOf(view)) };
  const same = before !== null && before.view.account === shown.account && before.feed.mode !== "refused";
  if (!same) {
    closeNow(view);
    const feed = new NowFeed({ account: shown.account }, () => {
      if (open?.feed !== feed) return;
      draw();
      if (feed.mode === "refused" && feed.error) refused(feed.error);
    });
    open = { view: shown, who, feed, parts: cards(shown, who) };
    replace(byId("now-cards"), ...Object.values(open.parts).map(({ element }) => element));
    setText(byId("now-state"), "Connecting…");
  } else {
    open = { ...before, view: shown, who };
  }
  const form = byId("now-form");
  field(form, "account").value = shown.account;
  /** @type {HTMLElement} */ (field(form, "account").closest("label")).hidden = !who.operator;
  byId("now-show").hidden = !who.operator;
  byId("now-wall").href = wallAddress(shown);
  thresholdForm.show(secondsOf(shown));
  byId("wall-links").hidden = !who.operator;
  if (who.operator) wallLinks.show({ account: shown.account, queue: shown.queue_id, limits: shown.limits, zone: shown.tz });
  showQueues(open?.feed.now);
  if (!same) open?.feed.start();
  else draw();
  clearInterval(timer);
  timer = setInterval(draw, TICK);
  return shown;
}

/**
 * Leave the view: nothing is asked for any more. Returns a view without its thresholds, which others do not have.
 * @param {View} view
 * @returns {View}
 */
export function closeNow(view) {
  clearInterval(timer);
  const feed = open?.feed;
  open = null;
  feed?.stop();
  tiles.show([]);
  replace(byId("now-cards"));
  setText(byId("now-said"), "");
  return { ...view, limits: "" };
}
