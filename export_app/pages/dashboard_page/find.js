// The search field, what a word in it may mean, and the filters as chips.

import { ApiError, fetchJson } from "./api.js";
import { byId, el, field, replace } from "./dom.js";
import { candidates, chips, classify, FILTERS } from "./filters.js";

const MEANINGS_SHOWN = 8;
const NAMED = ["queue_id", "agent_id", "account"];

/**
 * Return the names of queues, agents and accounts that contain a part, by the filter that takes them.
 * @param {string} part
 * @param {string} [parameter] the only one of these filters that is meant
 */
async function namesWith(part, parameter) {
  /** @type {Api.NameList} */
  const { names, more } = await fetchJson("v1/names", { part, parameter });
  const known = Object.fromEntries(NAMED.map((name) => [name, names.filter(({ parameter }) => parameter === name).map(({ value }) => value)]));
  return { known, more };
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
 * @param {(name: string, value: string) => void} page.filterBy applies a filter
 * @param {(id: string) => Promise<boolean>} page.openCall opens a call, and returns whether there is one
 * @param {(error: unknown) => void} page.report shows an error; null takes it away
 */
export function startFind({ filterBy, openCall, report }) {
  const form = byId("find");
  const sought = field(form, "sought");
  let searches = 0; // an answer that comes after another search has begun is dropped

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

  /** @type {(word: string, found: Page.Candidate[], more: boolean) => void} */
  function ask(word, found, more) {
    /** @type {(label: string, value: string, act: () => unknown) => HTMLElement} */
    const choice = (label, value, act) => el("li", {}, el("button", { type: "button", onclick: act }, el("span", { class: "muted" }, `${label} `), value));
    const rest = found.length - MEANINGS_SHOWN;
    replace(byId("meanings"),
      ...found.slice(0, MEANINGS_SHOWN).map(({ name, value }) => choice(FILTERS[name], value, () => apply(name, value))),
      choice("Number that is or begins with", word, () => apply("number", word)),
      choice("Call with the id", word, () => openOrSay(word).catch(report)),
      rest > 0 || more ? el("li", { class: "muted" }, `and ${more ? "" : `${rest} `}more: type more of the name`) : null);
    byId("meanings").hidden = false;
    byId("meanings").querySelector("button")?.focus();
  }

  /**
   * Filter by a queue, an agent or an account whose name may be typed without its domain, or in part.
   * @param {string} name
   * @param {string} value
   */
  async function applyNamed(name, value) {
    const own = searches;
    const { known, more } = await namesWith(value, name);
    if (own !== searches) return undefined;
    const found = candidates(value, { [name]: known[name] });
    const exact = found.filter((one) => one.exact);
    if (exact.length === 1) return apply(name, exact[0].value);
    return found.length ? ask(value, found, more) : apply(name, value);
  }

  /** @param {string} text */
  async function find(text) {
    const { filter, call, word } = classify(text);
    if (filter) return NAMED.includes(filter[0]) ? applyNamed(...filter) : apply(...filter);
    if (call) return openOrSay(call);
    if (!word) return undefined;
    const own = searches;
    const { known, more } = await namesWith(word);
    if (own !== searches) return undefined;
    const found = candidates(word, known);
    const exact = found.filter((one) => one.exact);
    if (exact.length === 1 && !/^\d+$/.test(word)) return apply(exact[0].name, exact[0].value);
    if (found.length && !(/^\d+$/.test(word) && !exact.length)) return ask(word, found, more);
    if (!/^[\d+*#]+$/.test(word) && await openCall(word)) return done();
    return apply("number", word);
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    report(null);
    searches += 1;
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
