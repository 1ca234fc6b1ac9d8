// The page: who looks, at which calls, and when they are fetched again.

import { Failure, ask, csv, key } from "./api.js";
import { callDetail, callList } from "./calls.js";
import { byId, el, replace } from "./dom.js";
import { count, localOf, momentOf, sentence } from "./format.js";
import { charts, ranking, tiles } from "./overview.js";

const HOUR = 3_600_000;
const HOURLY_UP_TO = 49 * HOUR; // longer is shown by day
const CALLS_SHOWN = 50;
const TOP = 10;
const CALLS_EVERY = 5_000;
const LEAST_PAUSE = 15_000; // between two looks at the sums; at least five times what a look took

const form = byId("filter");
const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
const initial = { range: "24", from: "", to: "", tz: here, direction: "", disposition: "", queue_id: "", agent_id: "" };

let operator = false;
let currency = null;
let wanted = { ...initial }; // the filter as it was when it was last shown
let generation = 0; // raised by each new filter: what an older one still brings is dropped
let timers = [];

function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
}

function failed(error) {
  if (!(error instanceof Failure)) throw error;
  if (error.status === 401) {
    leave();
    notice(`${sentence(error.message)}.`);
  } else if (error.status === 0 || error.status >= 500) {
    const before = byId("dashboard").hidden ? "" : " What stands here is of before; this page goes on trying.";
    notice(`${sentence(error.message)}${before}`);
  } else notice(`${sentence(error.message)}.`);
}

function leave() {
  generation += 1;
  timers.forEach(clearTimeout);
  key.forget();
  byId("dashboard").hidden = true;
  byId("leave").hidden = true;
  byId("enter").hidden = false;
  byId("who").textContent = "";
  for (const id of ["tiles", "charts", "rankings", "calls"]) replace(byId(id));
  byId("detail").close();
  notice("");
  byId("key").focus();
}

async function enter() {
  let who;
  try {
    who = await ask("v1/whoami");
  } catch (error) {
    byId("enter").hidden = false;
    failed(error);
    return;
  }
  operator = who.scopes.includes("operator");
  byId("who").textContent = `${who.account_id ?? "every account"} · ${who.key}…`;
  byId("enter").hidden = true;
  byId("leave").hidden = false;
  byId("dashboard").hidden = false;
  byId("key").value = "";
  show();
}

/** The window of the filter, epoch ms; throws Failure for one that is none. */
function chosenWindow() {
  if (wanted.range !== "custom") {
    const until = Date.now();
    return { since: until - wanted.range * HOUR, until };
  }
  const since = momentOf(wanted.from, wanted.tz);
  const until = momentOf(wanted.to, wanted.tz);
  if (!(since < until)) throw new Failure(400, "Give the time from which and the time to which, the earlier one first");
  return { since, until };
}

const filters = () => Object.fromEntries(["direction", "disposition", "queue_id", "agent_id"].map((name) => [name, wanted[name]]));

function filterBy(name, value) {
  form.elements[name].value = value;
  form.requestSubmit();
}

async function loadSums(mine) {
  const { since, until } = chosenWindow();
  const unit = until - since <= HOURLY_UP_TO ? "hour" : "day";
  const asked = { since, until, tz: wanted.tz, ...filters() };
  const stats = async (group_by, more = {}) => {
    const found = await ask("v1/stats", { ...asked, group_by, limit: TOP, ...more });
    if (mine !== generation) throw new DOMException("an older filter", "AbortError");
    return found;
  };
  // One after the other: each may take the database seconds, and others want it too.
  const byTime = await stats(unit, { limit: 10000 });
  const byDisposition = await stats(`${unit},disposition`, { limit: 10000 });
  const total = byTime.total;
  currency = total.cost.length === 1 ? total.cost[0].currency : null;
  replace(byId("tiles"), ...tiles(total));
  replace(byId("charts"), ...(total.calls ? charts(byTime, byDisposition, unit, wanted.tz) : []));
  byId("empty").hidden = total.calls > 0;
  byId("empty").textContent = "No calls in this time with this filter. Choose more time, or clear the filter. If there "
    + "should be some, the operator can ask tollbook doctor whether the switch is heard.";
  const early = byTime.from_ts > since ? "Older calls are in the archive, and not in these sums. " : "";
  byId("progress").textContent = early;
  if (!total.calls) {
    replace(byId("rankings"));
    return;
  }
  const made = [
    ranking("Top destinations", "Prefix", await stats("prefix", { direction: wanted.direction || "outbound" }), "prefix"),
    ranking("Queues", "Queue", await stats("queue"), "queue_id", (value) => filterBy("queue_id", value)),
    ranking("Agents", "Agent", await stats("agent"), "agent_id", (value) => filterBy("agent_id", value)),
    operator ? ranking("Accounts", "Account", await stats("account"), "account_id") : null,
  ];
  replace(byId("rankings"), ...made);
}

async function loadCalls(mine) {
  const { since, until } = chosenWindow();
  const page = await ask("v1/calls", { since, until, limit: CALLS_SHOWN, ...filters() });
  if (mine !== generation) return;
  if (byId("detail").open) return; // its end gives the focus back to where it was
  byId("recent").hidden = page.rows.length === 0;
  replace(byId("calls"), callList(page.rows, { zone: wanted.tz, operator, currency, open }));
}

async function open(call) {
  try {
    const { calls } = await ask(`v1/calls/${encodeURIComponent(call.call_id)}`, { start_ts: call.start_ts });
    const dialog = byId("detail");
    replace(dialog, ...callDetail(calls[0], wanted.tz, () => dialog.close()));
    dialog.showModal();
  } catch (error) {
    failed(error);
  }
}

/** Load again and again while somebody looks at a window that ends now; each turn returns its pause in ms. */
async function repeat(mine, turn, again = false) {
  const began = Date.now();
  let live = wanted.range !== "custom";
  try {
    if (!again || !document.hidden) await turn(mine);
    if (mine === generation && byId("notice").dataset.from === turn.name) notice("");
  } catch (error) {
    if (mine !== generation || error.name === "AbortError") return;
    byId("notice").dataset.from = turn.name;
    failed(error);
    live = error.status === 0 || error.status === 429 || error.status >= 500;
  }
  if (mine !== generation || !live) return;
  const pause = turn === loadCalls ? CALLS_EVERY : Math.max(LEAST_PAUSE, 5 * (Date.now() - began));
  timers.push(setTimeout(repeat, pause, mine, turn, true));
}

function show() {
  generation += 1;
  timers.forEach(clearTimeout);
  timers = [];
  notice("");
  wanted = Object.fromEntries(Object.keys(initial).map((name) => [name, form.elements[name].value.trim()]));
  wanted.tz ||= here;
  try {
    new Intl.DateTimeFormat(undefined, { timeZone: wanted.tz });
  } catch {
    notice(`${wanted.tz} is no time zone: write a name such as Europe/Berlin.`);
    return;
  }
  const changed = Object.entries(wanted).filter(([name, value]) => value !== initial[name]);
  history.replaceState(null, "", changed.length ? `#${new URLSearchParams(changed)}` : location.pathname + location.search);
  byId("progress").textContent = "Loading…";
  const mine = generation;
  repeat(mine, loadSums).finally(() => {
    if (mine === generation && byId("progress").textContent === "Loading…") byId("progress").textContent = "";
  });
  repeat(mine, loadCalls);
}

function fill(values) {
  for (const [name, value] of Object.entries(values)) if (name in initial) form.elements[name].value = value;
  const custom = form.elements.range.value === "custom";
  for (const label of form.querySelectorAll(".custom")) label.hidden = !custom;
}

async function download() {
  const button = byId("csv");
  button.disabled = true;
  try {
    const { since, until } = chosenWindow();
    const tell = (text) => { byId("progress").textContent = text; };
    tell("Fetching the calls…");
    const { blob, more } = await csv({ since, until, ...filters() }, (pages) => tell(`Fetching the calls… ${count(pages * 10000)}`));
    const url = URL.createObjectURL(blob);
    const name = (ms) => new Date(ms).toISOString().slice(0, 16).replace(/[-:]/g, "");
    el("a", { href: url, download: `calls-${name(since)}Z-${name(until)}Z.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    tell(more ? "The file has the newest 500,000 calls: choose less time for the rest, or use the API." : "");
  } catch (error) {
    byId("progress").textContent = "";
    failed(error);
  } finally {
    button.disabled = false;
  }
}

byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  notice("");
  key.set(byId("key").value.trim());
  enter();
});
byId("leave").addEventListener("click", leave);
byId("csv").addEventListener("click", download);
form.addEventListener("submit", (event) => { event.preventDefault(); show(); });
form.addEventListener("reset", (event) => { event.preventDefault(); fill(initial); show(); });
form.elements.range.addEventListener("change", () => {
  const now = Date.now();
  const last = Number(wanted.range) || 24;
  fill(form.elements.range.value === "custom" && !form.elements.from.value
    ? { from: localOf(now - last * HOUR, wanted.tz), to: localOf(now, wanted.tz) } : {});
  if (form.elements.range.value !== "custom") show();
});
for (const name of ["direction", "disposition", "tz"]) form.elements[name].addEventListener("change", show);

byId("zones").append(...["UTC", ...Intl.supportedValuesOf("timeZone")].map((zone) => el("option", { value: zone })));
fill(initial);
fill(Object.fromEntries(new URLSearchParams(location.hash.slice(1))));
if (key.get()) enter();
else leave();
