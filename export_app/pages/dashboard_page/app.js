// The page: its key, its filter, and when it loads calls again.

import { ApiError, fetchCsv, fetchJson, key } from "./api.js";
import { callDetail, callList } from "./calls.js";
import { byId, el, replace } from "./dom.js";
import { count, localOf, momentOf, sentence } from "./format.js";
import { charts, ranking, tiles } from "./overview.js";

const HOUR = 3_600_000;
const HOURLY_UP_TO = 49 * HOUR; // a longer time is shown by day
const CALLS_SHOWN = 50;
const TOP = 10;
const CALLS_PAUSE = 5_000; // ms between two loads of the calls
const STATS_PAUSE = 15_000; // ms between two loads of the statistics, or five times the duration of a load if that is more

const form = byId("filter");
const browserZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const initial = { range: "24", from: "", to: "", tz: browserZone, direction: "", disposition: "", queue_id: "", agent_id: "" };

let operator = false;
let currency = null;
let applied = { ...initial }; // the filter of what is shown; the form may hold a newer one
let generation = 0; // incremented with each new filter: responses to older ones are dropped
let timers = [];

function showNotice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
}

function showError(error) {
  if (!(error instanceof ApiError)) throw error;
  const message = `${sentence(error.message)}${error.message.endsWith("?") ? "" : "."}`;
  if (error.status === 401) signOut();
  const stale = (error.status === 0 || error.status >= 500) && !byId("dashboard").hidden;
  showNotice(stale ? `${message} The figures below are from before; this page keeps trying.` : message);
}

function signOut() {
  generation += 1;
  timers.forEach(clearTimeout);
  key.forget();
  byId("dashboard").hidden = true;
  byId("leave").hidden = true;
  byId("enter").hidden = false;
  byId("who").textContent = "";
  for (const id of ["tiles", "charts", "rankings", "calls"]) replace(byId(id));
  byId("detail").close();
  showNotice("");
  byId("key").focus();
}

async function signIn() {
  let who;
  try {
    who = await fetchJson("v1/whoami");
  } catch (error) {
    byId("enter").hidden = false;
    showError(error);
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

/** Return the time window of the filter, epoch ms; throws ApiError when it does not end after it begins. */
function chosenWindow() {
  if (applied.range !== "custom") {
    const until = Date.now();
    return { since: until - applied.range * HOUR, until };
  }
  const since = momentOf(applied.from, applied.tz);
  const until = momentOf(applied.to, applied.tz);
  if (!(since < until)) throw new ApiError(400, "Enter both times, with From before To");
  return { since, until };
}

const filters = () => Object.fromEntries(["direction", "disposition", "queue_id", "agent_id"].map((name) => [name, applied[name]]));

function filterBy(name, value) {
  form.elements[name].value = value;
  form.requestSubmit();
}

async function loadStats(ownGeneration) {
  const { since, until } = chosenWindow();
  const unit = until - since <= HOURLY_UP_TO ? "hour" : "day";
  const parameters = { since, until, tz: applied.tz, ...filters() };
  const stats = async (group_by, more = {}) => {
    const found = await fetchJson("v1/stats", { ...parameters, group_by, limit: TOP, ...more });
    if (ownGeneration !== generation) throw new DOMException("an older filter", "AbortError");
    return found;
  };
  // One after the other: each query may take the database seconds, and other users need it, too.
  const byTime = await stats(unit, { limit: 10000 });
  const byDisposition = await stats(`${unit},disposition`, { limit: 10000 });
  const total = byTime.total;
  currency = total.cost.length === 1 ? total.cost[0].currency : null;
  replace(byId("tiles"), ...tiles(total));
  replace(byId("charts"), ...(total.calls ? charts(byTime, byDisposition, unit, applied.tz) : []));
  byId("empty").hidden = total.calls > 0;
  byId("empty").textContent = "No calls match in this time. Choose a longer time or clear the filter. If there should "
    + "be some, the operator can check with tollbook doctor that Tollbook hears the switch.";
  byId("progress").textContent = byTime.from_ts > since ? "Older calls are in the archive and not in these totals." : "";
  if (!total.calls) {
    replace(byId("rankings"));
    return;
  }
  const rankings = [
    ranking("Top destinations", "Prefix", await stats("prefix", { direction: applied.direction || "outbound" }), "prefix"),
    ranking("Queues", "Queue", await stats("queue"), "queue_id", (value) => filterBy("queue_id", value)),
    ranking("Agents", "Agent", await stats("agent"), "agent_id", (value) => filterBy("agent_id", value)),
    operator ? ranking("Accounts", "Account", await stats("account"), "account_id") : null,
  ];
  replace(byId("rankings"), ...rankings);
}

async function loadCalls(ownGeneration) {
  const { since, until } = chosenWindow();
  const page = await fetchJson("v1/calls", { since, until, limit: CALLS_SHOWN, ...filters() });
  if (ownGeneration !== generation) return;
  if (byId("detail").open) return; // when it closes, the focus goes back to the button that opened it
  byId("recent").hidden = page.rows.length === 0;
  replace(byId("calls"), callList(page.rows, { zone: applied.tz, operator, currency, open }));
}

async function open(call) {
  try {
    const { calls } = await fetchJson(`v1/calls/${encodeURIComponent(call.call_id)}`, { start_ts: call.start_ts });
    const dialog = byId("detail");
    replace(dialog, ...callDetail(calls[0], applied.tz, () => dialog.close()));
    dialog.showModal();
  } catch (error) {
    showError(error);
  }
}

/** Run load (loadStats or loadCalls) now, and again after a pause while its filter is applied and the window ends now. */
async function repeat(ownGeneration, load, again = false) {
  const began = Date.now();
  let live = applied.range !== "custom";
  try {
    if (!again || !document.hidden) await load(ownGeneration);
    if (ownGeneration === generation && byId("notice").dataset.from === load.name) showNotice("");
  } catch (error) {
    if (ownGeneration !== generation || error.name === "AbortError") return;
    byId("notice").dataset.from = load.name;
    showError(error);
    live = error.status === 0 || error.status === 429 || error.status >= 500;
  }
  if (ownGeneration !== generation || !live) return;
  const pause = load === loadCalls ? CALLS_PAUSE : Math.max(STATS_PAUSE, 5 * (Date.now() - began));
  timers.push(setTimeout(repeat, pause, ownGeneration, load, true));
}

function show() {
  generation += 1;
  timers.forEach(clearTimeout);
  timers = [];
  showNotice("");
  applied = Object.fromEntries(Object.keys(initial).map((name) => [name, form.elements[name].value.trim()]));
  applied.tz ||= browserZone;
  try {
    new Intl.DateTimeFormat(undefined, { timeZone: applied.tz });
  } catch {
    showNotice(`${applied.tz} is not a time zone: enter a name such as Europe/Berlin.`);
    return;
  }
  const changed = Object.entries(applied).filter(([name, value]) => value !== initial[name]);
  history.replaceState(null, "", changed.length ? `#${new URLSearchParams(changed)}` : location.pathname + location.search);
  byId("progress").textContent = "Loading…";
  const ownGeneration = generation;
  repeat(ownGeneration, loadStats).finally(() => {
    if (ownGeneration === generation && byId("progress").textContent === "Loading…") byId("progress").textContent = "";
  });
  repeat(ownGeneration, loadCalls);
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
    const showProgress = (text) => { byId("progress").textContent = text; };
    showProgress("Fetching the calls…");
    const { blob, more } = await fetchCsv({ since, until, ...filters() }, (pages) => showProgress(`Fetching the calls… ${count(pages * 10000)}`));
    const url = URL.createObjectURL(blob);
    const stamp = (ms) => new Date(ms).toISOString().slice(0, 16).replace(/[-:]/g, "");
    el("a", { href: url, download: `calls-${stamp(since)}Z-${stamp(until)}Z.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    showProgress(more ? "The file has the newest 500,000 calls. For the rest, choose a shorter time or use the API." : "");
  } catch (error) {
    byId("progress").textContent = "";
    showError(error);
  } finally {
    button.disabled = false;
  }
}

byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  showNotice("");
  key.set(byId("key").value.trim());
  signIn();
});
byId("leave").addEventListener("click", signOut);
byId("csv").addEventListener("click", download);
form.addEventListener("submit", (event) => { event.preventDefault(); show(); });
form.addEventListener("reset", (event) => { event.preventDefault(); fill(initial); show(); });
form.elements.range.addEventListener("change", () => {
  const now = Date.now();
  const last = Number(applied.range) || 24;
  fill(form.elements.range.value === "custom" && !form.elements.from.value
    ? { from: localOf(now - last * HOUR, applied.tz), to: localOf(now, applied.tz) } : {});
  if (form.elements.range.value !== "custom") show();
});
for (const name of ["direction", "disposition", "tz"]) form.elements[name].addEventListener("change", show);

byId("zones").append(...["UTC", ...Intl.supportedValuesOf("timeZone")].map((zone) => el("option", { value: zone })));
fill(initial);
fill(Object.fromEntries(new URLSearchParams(location.hash.slice(1))));
if (key.get()) signIn();
else signOut();
