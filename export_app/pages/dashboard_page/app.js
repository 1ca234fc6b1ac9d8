// The page: who is signed in, its filter, and when it loads calls again.

import { ApiError, endSession, fetchJson, signInWith } from "./api.js";
import { byId, el, field, replace } from "./dom.js";
import { startDownload } from "./download.js";
import { clearFigures, loadFigures } from "./figures.js";
import { fillForm, startRange } from "./filter_form.js";
import { chosen, FILTERS } from "./filters.js";
import { showChips, startFind } from "./find.js";
import { sentence } from "./format.js";
import { CallList } from "./list.js";
import { openCall } from "./open_call.js";
import { loadMonth, openMonth, startMonth } from "./month.js";
import { closeNow, openNow, startNow } from "./now.js";
import { isLive, windowOf } from "./ranges.js";

const CALLS_PAUSE = 5_000; // ms between two loads of the calls
const STATS_PAUSE = 15_000; // ms between two loads of the statistics, or five times the duration of a load if that is more
const AWAY_PAUSE = 2_000; // ms until a load is tried again that nobody answered: its message goes as soon as somebody does

const form = byId("filter");
const tabs = /** @type {NodeListOf<HTMLElement>} */ (byId("views").querySelectorAll("[data-view]"));
const browserZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
/** @type {Page.View} */
const initial = { range: "24", month: "", from: "", to: "", tz: browserZone, order: "", cols: "", view: "", limits: "", call: "", start: "",
  ...Object.fromEntries(Object.keys(FILTERS).map((name) => [name, ""])) };

let operator = false;
/** @type {string[]} */
let scopes = [];
let applied = { ...initial }; // the filter of what is shown; the form may hold a newer one
let generation = 0; // incremented with each new filter: responses to older ones are dropped
/** @type {string | null} */
let figures = null; // the filter, as text, that the figures shown are of
/** @type {Record<string, number | undefined>} */
const timers = { loadStats: undefined, loadCalls: undefined };
const list = new CallList({ open: (call) => open(call.call_id, call.start_ts).catch(showError), change, report: showError });

/** @param {string} text */
function showNotice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
}

const stopTimers = () => Object.values(timers).forEach(clearTimeout);

/** @param {unknown} error */
function showError(error) {
  if (!(error instanceof ApiError)) throw error;
  const message = `${sentence(error.message)}${error.message.endsWith("?") ? "" : "."}`;
  if (error.status === 401) showForm();
  const stale = (error.status === 0 || error.status >= 500) && figures !== null && applied.view !== "month";
  showNotice(stale ? `${message} The figures below are from before; this page keeps trying.` : message);
}

function showForm() {
  generation += 1;
  stopTimers();
  closeNow(applied);
  list.forget();
  figures = null;
  byId("dashboard").hidden = true;
  byId("leave").hidden = true;
  byId("leave-all").hidden = true;
  byId("enter").hidden = false;
  byId("who").textContent = "";
  for (const id of ["tiles", "charts", "rankings", "doubts", "chips", "meanings", "month-tiles", "month-cards"]) replace(byId(id));
  byId("detail").close();
  showNotice("");
  byId("key").focus();
}

/** @param {boolean} everywhere */
async function signOut(everywhere) {
  try {
    await endSession(everywhere);
    showForm();
  } catch (error) {
    showError(error); // who could not sign out must not think so
  }
}

/**
 * Show the dashboard to whoever is signed in, and the form to anybody else; with a key, sign in first.
 * @param {string} [key]
 */
async function signIn(key) {
  /** @type {Api.SessionState} */
  let who;
  try {
    if (key) await signInWith(key);
    who = await fetchJson("v1/session");
  } catch (error) {
    byId("enter").hidden = false;
    showError(error);
    return;
  }
  if (!who.signed_in) {
    showForm();
    return;
  }
  scopes = who.scopes;
  operator = scopes.includes("operator");
  byId("who").textContent = `${who.account_id ?? "every account"} · ${who.key}…`;
  byId("enter").hidden = true;
  byId("leave").hidden = false;
  byId("leave-all").hidden = false;
  byId("dashboard").hidden = false;
  byId("key").value = "";
  show();
}

/** @type {(name: string, value: string) => void} */
function filterBy(name, value) {
  field(form, name).value = value;
  form.requestSubmit();
}

const sameFigures = () => JSON.stringify({ ...applied, order: "", cols: "", call: "", start: "" });

/** @param {number} ownGeneration */
async function loadStats(ownGeneration) {
  await loadFigures(applied, { operator, current: () => ownGeneration === generation, filterBy, tell: (total) => {
    figures = sameFigures();
    byId("tiles").classList.remove("old");
    list.tell(total.calls);
  } });
}

/** @param {number} ownGeneration */
async function loadCalls(ownGeneration) {
  const { since, until } = windowOf(applied, Date.now());
  const { order, cols, tz: zone, range } = applied;
  const view = { since, until, filters: chosen(applied), order, cols, zone, operator, live: isLive(range) };
  await list.load(view, () => ownGeneration === generation);
}

/**
 * Change the order or the columns of the list.
 * @type {(name: string, value: string) => void}
 */
function change(name, value) {
  field(form, name).value = applied[name] = value;
  setAddress();
  clearTimeout(timers.loadCalls);
  list.restart();
  repeat(generation, loadCalls);
}

/**
 * Write into the address which call is open.
 * @param {string} call its id
 * @param {string} start when it started, epoch ms, if that is known
 */
function setCall(call, start) {
  for (const [name, value] of Object.entries({ call, start })) field(form, name).value = applied[name] = value;
  setAddress();
}

/** @type {(id: string, start: string | number | null) => Promise<boolean>} */
async function open(id, start) {
  const found = await openCall(id, start, applied.tz);
  if (found) setCall(id, String(start ?? ""));
  return found;
}

/**
 * Load now, and again after a pause while its filter is applied and the window ends now.
 * @param {number} ownGeneration
 * @param {(ownGeneration: number) => Promise<void>} load loadStats or loadCalls
 */
async function repeat(ownGeneration, load, again = false) {
  const began = Date.now();
  let live = isLive(applied.range);
  let pause = load === loadCalls ? CALLS_PAUSE : STATS_PAUSE;
  try {
    if (!again || !document.hidden) await load(ownGeneration);
    if (ownGeneration === generation && byId("notice").dataset.from === load.name) showNotice("");
  } catch (error) {
    if (ownGeneration !== generation || (error instanceof DOMException && error.name === "AbortError")) return;
    byId("notice").dataset.from = load.name;
    if (load === loadStats && figures !== sameFigures()) noFigures();
    showError(error);
    const status = error instanceof ApiError ? error.status : 400;
    const away = status === 0 || status >= 500;
    if (away) pause = AWAY_PAUSE;
    live = away || status === 429;
  }
  if (ownGeneration !== generation || !live) return;
  if (load === loadStats) pause = Math.max(pause, 5 * (Date.now() - began));
  clearTimeout(timers[load.name]);
  timers[load.name] = setTimeout(repeat, pause, ownGeneration, load, true);
}

/** Take away figures of another filter: they would stand above the calls of this one. */
function noFigures() {
  figures = null;
  clearFigures();
}

/** Write the view into the address, so that it can be sent as a link; what was there before can be gone back to. */
function setAddress() {
  const changed = Object.entries(applied).filter(([name, value]) => value !== initial[name]);
  const address = changed.length ? `#${new URLSearchParams(changed)}` : location.pathname + location.search;
  if (location.hash.slice(1) !== (changed.length ? address.slice(1) : "")) history.pushState(null, "", address);
}

/** Open the call that the address names. */
function openLinked() {
  if (!applied.call) {
    byId("detail").close();
    return;
  }
  open(applied.call, applied.start || null).then((found) => {
    if (!found) showNotice("There is no call of this link that your key may see.");
  }).catch(showError);
}

function show() {
  generation += 1;
  stopTimers();
  showNotice("");
  applied = Object.fromEntries(Object.keys(initial).map((name) => [name, field(form, name).value.trim()]));
  applied.tz ||= browserZone;
  try {
    new Intl.DateTimeFormat(undefined, { timeZone: applied.tz });
  } catch {
    showNotice(`${applied.tz} is not a time zone: enter a name such as Europe/Berlin.`);
    return;
  }
  const isMonth = applied.view === "month";
  const isNow = applied.view === "now";
  if (isMonth) applied = openMonth(applied, operator);
  applied = isNow ? openNow(applied, { operator, scopes }) : closeNow(applied);
  setAddress();
  byId("calls-view").hidden = isMonth || isNow;
  byId("month-view").hidden = !isMonth;
  byId("now-view").hidden = !isNow;
  for (const tab of tabs) tab.setAttribute("aria-pressed", String(tab.dataset.view === applied.view));
  openLinked();
  if (isNow) return;
  if (isMonth) {
    const own = generation;
    loadMonth(applied, operator, () => own === generation, (id, start) => { open(id, start).catch(showError); })
      .catch((error) => own === generation && showError(error));
    return;
  }
  showChips(applied, (name) => filterBy(name, ""));
  if (figures !== sameFigures()) list.forget();
  byId("tiles").classList.toggle("old", figures !== sameFigures());
  byId("progress").textContent = "Loading…";
  const ownGeneration = generation;
  repeat(ownGeneration, loadStats).finally(() => {
    if (ownGeneration !== generation) return;
    byId("tiles").classList.remove("old");
    if (byId("progress").textContent === "Loading…") byId("progress").textContent = "";
  });
  repeat(ownGeneration, loadCalls);
}

/** @type {() => Page.View} */
const fromAddress = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));

/** @param {Page.View} values */
const fill = (values) => fillForm(form, Object.fromEntries(Object.entries(values).filter(([name]) => name in initial)));

byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  showNotice("");
  signIn(byId("key").value.trim());
});
byId("leave").addEventListener("click", () => signOut(false));
byId("leave-all").addEventListener("click", () => signOut(true));
startDownload(byId("csv"), () => [windowOf(applied, Date.now()), chosen(applied)],
  (text) => { byId("progress").textContent = text; }, showError);
form.addEventListener("submit", (event) => { event.preventDefault(); show(); });
form.addEventListener("reset", (event) => { event.preventDefault(); fill(initial); show(); });
startRange(form, () => applied, show);
window.addEventListener("popstate", () => {
  fill(initial);
  fill(fromAddress());
  if (!byId("dashboard").hidden) show();
});
for (const name of ["month", "direction", "disposition", "tz"]) field(form, name).addEventListener("change", show);

byId("zones").append(...["UTC", ...Intl.supportedValuesOf("timeZone")].map((zone) => el("option", { value: zone })));
for (const tab of tabs) tab.addEventListener("click", () => filterBy("view", tab.dataset.view ?? ""));
byId("detail").addEventListener("close", () => setCall("", ""));
startMonth((view) => { fill(view); show(); });
startNow({ go: (view) => { fill(view); show(); }, refused: (error) => { if (error.status === 401) showError(error); } });
for (const name of Object.keys(initial)) if (!form.elements.namedItem(name)) form.append(el("input", { type: "hidden", name }));
startFind({ filterBy, openCall: (id) => open(id, null),
  report: (error) => (error ? showError(error) : showNotice("")) });
fill(initial);
fill(fromAddress());
signIn();
