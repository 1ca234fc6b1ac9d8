// A month: what it cost, where to, for whom and over which gateway, its statement, and what operators have to settle.

import { fetchJson } from "./api.js";
import { byId, el, field, replace, scroller, table } from "./dom.js";
import { FILTERS } from "./filters.js";
import { at, count, duration, localOf, money, percent } from "./format.js";
import { doubtList, orRefusal, refusal, tiles } from "./overview.js";
import { windowOf } from "./ranges.js";
import { workCard } from "./work.js";
import { explained } from "./words.js";

const GROUPS_SHOWN = 100;

/** @type {(cost: Api.Cost[]) => string} */
const costs = (cost) => cost.map((sum) => money(sum.cost_micros, sum.currency)).join(" · ") || "–";
const minutes = (/** @type {Page.Group} */ group) => count(Math.round(group.billsec / 60));

/** @type {Page.Column<Page.Group>[]} */
const OF_CALLS = [
  { name: "Calls", cls: "number", cell: (group) => count(group.calls) },
  { name: explained("ASR"), cls: "number wide", cell: (group) => percent(group.asr) },
  { name: explained("ACD"), cls: "number wide", cell: (group) => duration(group.acd_sec) },
  { name: "Minutes", cls: "number", cell: minutes },
  { name: "Cost", cls: "number", cell: (group) => costs(group.cost) },
];
/** @type {Page.Column<Api.GatewayGroup>[]} */
const OF_GATEWAYS = [
  { name: "Attempts", cls: "number", cell: (group) => count(group.legs) },
  { name: "Answered", cls: "number wide", cell: (group) => count(group.answered) },
  { name: explained("ASR"), cls: "number", cell: (group) => percent(group.asr) },
  { name: explained("PDD"), cls: "number", cell: (group) => (group.pdd_ms === null ? "–" : `${(group.pdd_ms / 1000).toFixed(1)} s`) },
  { name: explained("MOS"), cls: "number", cell: (group) => group.rx_mos?.toFixed(2) ?? "–" },
];

/**
 * @template {Page.Group | Api.GatewayGroup} Row
 * @param {string} title
 * @param {string} head that of the column of names
 * @param {{groups: Row[], more: boolean}} found
 * @param {(group: Row) => string | null | undefined} nameOf
 * @param {Page.Column<Row>[]} columns
 * @param {string} none what stands where there is no name
 */
function groupCard(title, head, found, nameOf, columns, none) {
  if (!found.groups.length) return refusal(title, "There is nothing to show of this month.");
  return el("section", { class: "card" }, el("h2", {}, title), scroller(title, table(title, [
    { name: head, cls: "name", cell: (/** @type {Row} */ group) => nameOf(group) ?? el("span", { class: "muted" }, none) }, ...columns,
  ], found.groups)), found.more ? el("p", { class: "muted" }, `The ${found.groups.length} with the most calls; the figures above have all.`) : null);
}

/** @type {(answer: Api.StatementAnswer, month: string, account: string) => HTMLElement} */
function statementCard(answer, month, account) {
  const { statement } = answer;
  const issued = statement.number !== null && statement.number !== undefined;
  const query = (/** @type {string} */ format) => new URLSearchParams({ format, ...(account ? { account } : {}) });
  const link = (/** @type {string} */ format, /** @type {string} */ text) => el("a", { href: `v1/statements/${month}?${query(format)}`, download: `statement-${statement.number ?? `${month}-draft`}.${format}` }, text);
  const total = (/** @type {Api.TotalModel} */ sum) => el("li", {}, el("b", {}, `${sum.total} ${sum.currency}`), sum.net === sum.total ? null : el("span", { class: "muted" }, ` of it net ${sum.net}`));
  const open = statement.uncounted.filter((part) => part.open || part.unrated);
  return el("section", { class: "card" }, el("h2", {}, issued ? `Statement ${statement.number}` : "Statement, a draft"),
    el("p", { class: "muted" }, issued ? "As it was issued, whatever changed since." : "As it would be now. It has a number once the operator issues it."),
    statement.totals.length ? el("ul", {}, statement.totals.map(total)) : el("p", {}, "It has no amounts."),
    open.map((part) => el("p", { class: "note" }, `Not in it, of ${part.month}: `, [part.open ? `calls that are up: ${count(part.open)}` : "",
      part.unrated ? `calls without a price: ${count(part.unrated)}` : ""].filter(Boolean).join("; "))),
    el("p", { class: "links" }, link("pdf", "Download PDF"), " ", link("csv", "Download CSV")));
}

/**
 * Load a month. Throws ApiError.
 * @param {Page.View} view its month, account and tz
 * @param {boolean} operator
 * @param {() => boolean} current whether it is still wanted
 * @param {(id: string, start: number) => void} open shows a call, by its id and when it started
 */
export async function loadMonth(view, operator, current, open) {
  try {
    await showMonth(view, operator, current, open);
  } catch (error) {
    if (current()) byId("month-title").textContent = "The month is not complete: show it again in a moment";
    throw error;
  }
}

/** @type {(view: Page.View, operator: boolean, current: () => boolean, open: (id: string, start: number) => void) => Promise<void>} */
async function showMonth({ month, account, tz }, operator, current, open) {
  const { since, until, before } = windowOf({ range: "month", month, tz }, Date.now());
  /** @type {(group_by: string | null, more?: {since?: number, until?: number}) => Promise<any>} */
  const stats = (group_by, more = {}) => fetchJson("v1/stats", { since, until, tz, account, group_by, limit: GROUPS_SHOWN, ...more });
  /** @type {Element[]} */
  const cards = [];
  const show = (/** @type {Element | null} */ card) => {
    if (!current()) throw new DOMException("an older view", "AbortError");
    if (card) cards.push(card);
    replace(byId("month-cards"), ...cards);
  };
  const runs = localOf(Date.now(), tz).startsWith(month);
  const now = await stats(null);
  const earlier = before && await stats(null, { since: before.since, until: before.until });
  if (!current()) return;
  byId("month-title").textContent = `${at(since, tz, "month")}${account ? `, ${account}` : ""}${runs ? ", so far" : ""}`;
  replace(byId("month-tiles"), ...tiles(now, before && { total: earlier.total, name: before.name }));
  show(await orRefusal("By destination", () => stats("destination"),
    (found) => groupCard("By destination", "Destination", found, (group) => group.destination, OF_CALLS, "not charged")));
  if (!operator || account) show(await orRefusal("Statement", () => fetchJson(`v1/statements/${month}`, { account }), (found) => statementCard(found, month, account)));
  else show(refusal("Statement", "Statements are of one account: name it above."));
  if (!operator) return;
  const accounts = await stats("account");
  if (!account) show(groupCard("By account", "Account", accounts, (group) => group.account_id, OF_CALLS, "none"));
  show(await orRefusal("By gateway", () => stats("gateway"), (found) => groupCard("By gateway", "Gateway", found, (group) => group.gateway, OF_GATEWAYS, "none named")));
  if (accounts.total.unrated || accounts.groups.some((/** @type {Page.Group} */ group) => group.account_id === null)) {
    show(workCard(accounts, await fetchJson("v1/unrated", { since, until, account }), tz, open));
  }
  if (!account && runs) show(doubtList(await fetchJson("v1/doubts", { since })));
}

/**
 * Make the month's own form work.
 * @param {(view: {month: string, account: string}) => void} go shows another month
 */
export function startMonth(go) {
  const form = byId("month-form");
  const turn = (/** @type {number} */ by) => {
    const [year, month] = field(form, "month").value.split("-").map(Number);
    if (year && month) go({ month: new Date(Date.UTC(year, month - 1 + by, 1)).toISOString().slice(0, 7), account: field(form, "account").value.trim() });
  };
  byId("month-before").addEventListener("click", () => turn(-1));
  byId("month-after").addEventListener("click", () => turn(1));
  form.addEventListener("submit", (event) => { event.preventDefault(); turn(0); });
}

// A month is of all calls, or of an account: its address must not name filters that its sums do not have.
const NO_FILTERS = Object.fromEntries(Object.keys(FILTERS).filter((name) => name !== "account").map((name) => [name, ""]));

/**
 * Show the month's page and its form as a view has them; return the view that it is: with no filter but the account.
 * @param {Page.View} view
 * @param {boolean} operator
 * @returns {Page.View}
 */
export function openMonth(view, operator) {
  const month = view.month || localOf(Date.now(), view.tz).slice(0, 7);
  const form = byId("month-form");
  field(form, "month").value = month;
  field(form, "account").value = view.account;
  field(form, "account").labels?.forEach((label) => { label.hidden = !operator; });
  replace(byId("month-tiles"));
  replace(byId("month-cards"));
  byId("month-title").textContent = "Loading…";
  return { ...view, ...NO_FILTERS, month };
}
