// The search field, what a word in it may mean, and the filters as chips.

import { ApiError, fetchJson } from "./api.js";
import { byId, el, field, replace } from "./dom.js";
import { candidates, chips, classify, FILTERS } from "./filters.js";

const MEANINGS_SHOWN = 8;
const HOUR = 3_600_000;
const NAMES_SINCE = 30 * 24 * HOUR; // ms: queues, agents and accounts with a call in this time are known by name
const NAMES_LIMIT = 10_000;
const NAMES_KEPT = 60_000; // ms
const NAMED = ["queue_id", "agent_id", "account"];

/** @type {{operator: boolean, at: number, names: Promise<Record<string, (string | null)[]>>} | null} */
let kept = null;

/**
 * Return the names of what has calls: of a minute ago at most.
 * @param {boolean} operator
 */
function knownNames(operator) {
  if (kept === null || kept.operator !== operator || Date.now() - kept.at > NAMES_KEPT) {
    const names = fetchNames(operator);
    names.catch(() => { kept = null; });
    kept = { operator, at: Date.now(), names };
  }
  return kept.names;
}

/** Forget the names: somebody else may sign in. */
export function forgetNames() {
  kept = null;
}

/** @param {boolean} operator */
async function fetchNames(operator) {
  /** @type {Record<string, (string | null)[]>} */
  const known = {};
  // From a whole hour on: of that the sums are kept.
  const since = Math.floor((Date.now() - NAMES_SINCE) / HOUR) * HOUR;
  /** @type {(group_by: string) => Promise<Page.Stats>} */
  const ask = (group_by) => fetchJson("v1/stats", { group_by, since, limit: NAMES_LIMIT });
  /** @type {(names: (string | null | undefined)[]) => string[]} */
  const distinct = (names) => [...new Set(names)].filter((name) => typeof name === "string");
  // One after the other: an account has one question about sums at work at once.
  const both = await ask("queue,agent");
  const queues = both.more ? await ask("queue") : both;
  const agents = both.more ? await ask("agent") : both;
  known.queue_id = distinct(queues.groups.map((row) => row.queue_id));
  known.agent_id = distinct(agents.groups.map((row) => row.agent_id));
  if (operator) known.account = distinct((await ask("account")).groups.map((row) => row.account_id));
  return known;
}

/**
 * Make the chips of a view's filters.
 * @param {Page.View} view
 * @param {(name: string) => void} remove clears a filter
 */
export function showChips(view, remove) {
  replace(byId("chips"), ...chips(view).map(({ name, label, value }) => el("li", {}, el("span", {}, `${label}: `, el("b", {}, value)),
    el("button", { type: "button", "aria-label": `Remove the filter ${label} ${value}`, onclick: () => remove(name) }, "×"))));
}

/**
 * Make the search field work.
 * @param {object} page
 * @param {() => boolean} page.isOperator
 * @param {(name: string, value: string) => void} page.filterBy applies a filter
 * @param {(id: string) => Promise<boolean>} page.openCall opens a call, and returns whether there is one
 * @param {(error: unknown) => void} page.report shows an error; null takes it away
 */
export function startFind({ isOperator, filterBy, openCall, report }) {
  const form = byId("find");
  const sought = field(form, "sought");
  sought.addEventListener("focus", () => { knownNames(isOperator()).catch(() => {}); }); // known by when they are asked for

  function done() {
    sought.value = "";
    replace(byId("meanings"));
    byId("meanings").hidden = true;
  }

  /** @type {(name: string, value: string) => void} */
  function apply(name, value) {
    done();
    filterBy(name, value);
  }

  /** @param {string} id */
  async function openOrSay(id) {
    if (await openCall(id)) return done();
    throw new ApiError(404, `No call that this key may see has the id ${id}. Ids are whole, as the page of a call has them`);
  }

  /** @type {(word: string, found: Page.Candidate[]) => void} */
  function ask(word, found) {
    /** @type {(label: string, value: string, act: () => unknown) => HTMLElement} */
    const choice = (label, value, act) => el("li", {}, el("button", { type: "button", onclick: act }, el("span", { class: "muted" }, `${label} `), value));
    const rest = found.length - MEANINGS_SHOWN;
    replace(byId("meanings"),
      ...found.slice(0, MEANINGS_SHOWN).map(({ name, value }) => choice(FILTERS[name], value, () => apply(name, value))),
      choice("Number that is or begins with", word, () => apply("number", word)),
      choice("Call with the id", word, () => openOrSay(word).catch(report)),
      rest > 0 ? el("li", { class: "muted" }, `and ${rest} more: type more of the name`) : null);
    byId("meanings").hidden = false;
    byId("meanings").querySelector("button")?.focus();
  }

  /**
   * Filter by a queue, an agent or an account whose name may be typed without its domain, or in part.
   * @param {string} name
   * @param {string} value
   */
  async function applyNamed(name, value) {
    const known = await knownNames(isOperator());
    const found = candidates(value, { [name]: known[name] ?? [] });
    const exact = found.filter((one) => one.exact);
    if (exact.length === 1) return apply(name, exact[0].value);
    return found.length ? ask(value, found) : apply(name, value);
  }

  /** @param {string} text */
  async function find(text) {
    const { filter, call, word } = classify(text);
    if (filter) return NAMED.includes(filter[0]) ? applyNamed(...filter) : apply(...filter);
    if (call) return openOrSay(call);
    if (!word) return undefined;
    const found = candidates(word, await knownNames(isOperator()));
    const exact = found.filter((one) => one.exact);
    if (exact.length === 1 && !/^\d+$/.test(word)) return apply(exact[0].name, exact[0].value);
    if (found.length && !(/^\d+$/.test(word) && !exact.length)) return ask(word, found);
    if (!/^[\d+*#]+$/.test(word) && await openCall(word)) return done();
    return apply("number", word);
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    report(null);
    try {
      await find(sought.value);
    } catch (error) {
      report(error);
    }
  });
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    sought.focus();
  });
}
