// A page for a screen on the wall: huge figures of one queue or of all, for whoever is signed in or has a link.

import { agentStates, figuresOf, freshness, queueLines } from "./board.js";
import { byId, el } from "./dom.js";
import { at, count, sentence } from "./format.js";
import { LiveTable, setText, Tiles } from "./live_parts.js";
import { NowFeed } from "./now_feed.js";
import { keptThresholds, readThresholds } from "./thresholds.js";
import { fetchJson } from "./api.js";
import { readWall, writeWall } from "./wall_address.js";

const TICK = 1_000; // ms
const SHOWN = ["waiting", "wait", "level", "abandoned", "answered", "talking"];
const MOST_LINES = 12; // that can be read across a room; the worst are first
const TOKEN = "tollbook.link";
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

// A token is taken out of the address at once, so that nobody copies, photographs or bookmarks it with the view, and is kept
// for this tab alone, so that it can be loaded again. The address says that it was there.
const { token: brought, ...wall } = readWall(location.hash);
const token = wall.byLink ? brought || kept() : null;
if (!brought || keep(brought)) setAddress();

const thresholds = readThresholds(wall.limits || (wall.byLink ? null : keptThresholds()));
const tiles = new Tiles(byId("tiles"), "h2");
const figure = (/** @type {string} */ name, /** @type {string} */ key) => ({ name, cls: "number", cell: (/** @type {any} */ row) => row.figures[key] });
const queues = new LiveTable("Queues", [{ name: "Queue", cls: "name", cell: (row) => row.name }, figure("Waiting", "waiting"), figure("Longest wait", "wait"), figure("Service level", "level"),
  figure("Abandon rate", "abandoned"), figure("Answered", "answered"), figure("ASA", "asa")], (row) => row.key);
/** @type {string[] | null} */
let scopes = null;
/** @type {NowFeed | null} */
let feed = null;

function kept() {
  try {
    return sessionStorage.getItem(TOKEN);
  } catch {
    return null;
  }
}

/** Keep a token for this tab; returns false where the browser keeps nothing, and the address must have it. */
function keep(/** @type {string} */ text) {
  try {
    sessionStorage.setItem(TOKEN, text);
    return true;
  } catch {
    return false;
  }
}

function setAddress() {
  const hash = writeWall(wall);
  if (location.hash !== hash) history.replaceState(null, "", hash || location.pathname + location.search);
}

/** Say why there is no board, and what helps. */
function close(/** @type {string} */ text) {
  feed?.stop();
  feed = null;
  byId("closed").textContent = text;
  byId("closed").hidden = false;
  for (const id of ["tiles", "queues"]) byId(id).hidden = true;
  setText(byId("state"), "");
  setText(byId("said"), text);
}

function draw() {
  setText(byId("clock"), at(Date.now(), zone, "clock"));
  if (!feed) return;
  const fresh = freshness({ mode: feed.mode, age: feed.age(), heard: feed.now !== null, since: feed.since, message: sentence(feed.error?.message ?? "") }, zone);
  document.body.dataset.tone = fresh.tone;
  byId("state").dataset.tone = fresh.tone;
  setText(byId("state"), [fresh.text, fresh.age].filter(Boolean).join(" · "));
  const { now } = feed;
  if (now === null) return;
  const choice = wall.queue && !wall.byLink ? { queue: wall.queue, account: wall.account || null } : null;
  const how = { choice, serverNow: fresh.tone === "ok" ? feed.serverNow() : feed.asOf, thresholds, scopes };
  const figures = figuresOf(now, how);
  tiles.show(SHOWN.map((key) => figures[key]));
  const one = now.queue_id ?? (wall.queue || null);
  setText(byId("title"), one ?? (wall.account ? `All queues of ${wall.account}` : "All queues"));
  document.title = `${one ?? "All queues"} · Tollbook`;
  const lines = one === null ? queueLines(now, how) : [];
  byId("queues").hidden = lines.length === 0;
  const several = !wall.account && new Set(lines.map((line) => line.account_id)).size > 1;
  queues.show(lines.slice(0, MOST_LINES).map((line) => ({ ...line, name: `${line.queue_id ?? "not named yet"}${several ? ` · ${line.account_id ?? "no account"}` : ""}` })));
  document.body.style.setProperty("--lines", String(Math.min(lines.length, MOST_LINES)));
  document.body.classList.toggle("one", lines.length === 0);
  const more = lines.length > MOST_LINES ? `and ${count(lines.length - MOST_LINES)} queues more, which are no worse` : "";
  const agents = one === null && now.agents ? agentStates(now.agents.states).map(({ name, agents: number }) => `${name}: ${count(number)}`).join(" · ") : "";
  setText(rest, [more, agents && `Agents: ${agents}`].filter(Boolean).join(" · "));
  const alarms = SHOWN.filter((key) => figures[key].level).map((key) => `${figures[key].name} is ${figures[key].level}.`);
  setText(byId("said"), [fresh.tone === "ok" ? "" : fresh.text, ...alarms].join(" "));
}

const rest = el("p", { id: "rest" });
byId("foot").prepend(rest);
byId("queues").append(queues.element);

/** Which of both themes is shown: the address's, or else that of the system. */
const theme = () => wall.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

function dress() {
  document.documentElement.dataset.theme = theme();
  byId("theme").textContent = theme() === "dark" ? "Light" : "Dark";
}

byId("theme").addEventListener("click", () => {
  wall.theme = theme() === "dark" ? "light" : "dark";
  setAddress();
  dress();
});
byId("full").hidden = !document.fullscreenEnabled;
byId("full").addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen()));
document.addEventListener("fullscreenchange", () => {
  byId("full").textContent = document.fullscreenElement ? "Leave full screen" : "Full screen";
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);
document.addEventListener("visibilitychange", () => (document.hidden ? feed?.stop() : feed?.start()));
// Another address in the same tab is another board: what was kept of this one must not show it.
window.addEventListener("hashchange", () => location.reload());

function begin() {
  feed = new NowFeed({ account: wall.account, token }, () => {
    draw();
    if (feed?.mode === "refused") refuse(/** @type {any} */ (feed.error));
  });
  feed.start();
}

function refuse(/** @type {import("./api.js").ApiError} */ error) {
  if (wall.byLink && error.status === 401) {
    keep("");
    close("This link shows nothing any more: it has expired or was deleted. Ask whoever gave it to you for a new one.");
  } else if (error.status === 401) {
    close("You are not signed in. Sign in at the dashboard, or open the link that you were given.");
    byId("back").hidden = false;
  } else {
    close(`${sentence(error.message)}.`);
  }
}

async function start() {
  if (wall.byLink && !token) {
    close("The address alone does not open this board: its token is kept out of it. Open the link once more as it was given to you.");
    return;
  }
  byId("back").hidden = wall.byLink;
  byId("back").href = `./#${new URLSearchParams({ view: "now", ...(wall.account ? { account: wall.account } : {}), ...(wall.queue ? { queue_id: wall.queue } : {}), ...(wall.limits ? { limits: wall.limits } : {}) })}`;
  if (!wall.byLink) {
    // Why a part is missing depends on the key. Without an answer the board begins all the same, and says what is wrong.
    const who = await fetchJson("v1/session").catch(() => null);
    scopes = who?.scopes ?? ["*"];
  }
  begin();
}

dress();
setInterval(draw, TICK);
draw();
start();
