// The calls of a view, page by page: the first page is loaded again while calls come in, until somebody reads on.

import { fetchJson } from "./api.js";
import { callList, columnChoice, columnsOf, fieldsOf } from "./calls.js";
import { byId, el, replace } from "./dom.js";
import { at, count } from "./format.js";

const PAGE = 50; // calls

/**
 * What is listed: the calls of a time that match filters. live: new ones come in.
 * @typedef {Page.Span & {filters: Record<string, string>, order: string, cols: string, zone: string, operator: boolean, live: boolean}} Listed
 */

/** A list of calls, with its tools: order, columns, and more of it. */
export class CallList {
  /** @type {Page.Call[]} */
  rows = [];
  /** @type {string | null} */
  cursor = null;
  pages = 0;
  /** @type {Listed | null} */
  view = null;
  /** @type {Listed | null} */
  wanted = null;
  /** @type {number | null} */
  total = null;
  read = 0; // epoch ms

  /**
   * @param {object} page
   * @param {(call: Page.Call) => void} page.open shows a call
   * @param {(name: "order" | "cols", value: string) => void} page.change changes the view
   * @param {(error: unknown) => void} page.report
   */
  constructor({ open, change, report }) {
    this.open = open;
    this.change = change;
    this.report = report;
    this.forget();
  }

  /** Drop the calls: another view begins. */
  forget() {
    Object.assign(this, { rows: [], cursor: null, pages: 0, view: null, total: null, read: 0 });
    replace(byId("calls"));
    byId("recent").hidden = true;
  }

  /** Begin anew with the next load, in another order or with other columns. */
  restart() {
    this.pages = 0;
    this.wanted = null;
  }

  /**
   * Say how many calls there are, once the sums know.
   * @param {number} total
   */
  tell(total) {
    this.total = total;
    if (this.view) this.draw();
  }

  /**
   * Load the first page of a view; throws ApiError.
   * @param {Listed} view
   * @param {() => boolean} current whether it is still wanted
   */
  async load(view, current) {
    if (this.pages > 1) return; // it would take away what somebody reads
    this.wanted = view;
    const found = await this.fetch(view, null);
    if (!current() || this.wanted !== view || this.pages > 1) return;
    Object.assign(this, { view, rows: found.rows, cursor: found.next_cursor ?? null, pages: 1, read: Date.now() });
    // When the page of a call closes, the focus goes back to the button that opened it.
    if (!byId("detail").open) this.draw();
  }

  async more() {
    const { view, cursor } = this;
    if (view === null) return;
    const found = await this.fetch(view, cursor);
    if (cursor !== this.cursor) return;
    Object.assign(this, { rows: [...this.rows, ...found.rows], cursor: found.next_cursor ?? null, pages: this.pages + 1 });
    this.draw();
  }

  /**
   * @param {Listed} view
   * @param {string | null} cursor
   * @returns {Promise<{rows: Page.Call[], next_cursor?: string}>}
   */
  fetch(view, cursor) {
    const { since, until, filters, order, cols, operator } = view;
    const fields = fieldsOf(columnsOf(cols, operator));
    return fetchJson("v1/calls", cursor ? { cursor, fields, limit: PAGE } : { since, until, order, ...filters, fields, limit: PAGE });
  }

  draw() {
    const { view, rows, cursor, total } = this;
    if (view === null) return;
    const { zone, operator, order, cols } = view;
    byId("recent").hidden = rows.length === 0;
    byId("list-title").textContent = order === "asc" ? "Calls, oldest first" : "Calls, newest first";
    const all = cursor === null ? rows.length : total === null ? null : Math.max(total, rows.length);
    const shown = all === null ? `${count(rows.length)} and more` : all > rows.length ? `${count(rows.length)} of ${count(all)}` : `all ${count(all)}`;
    const stands = this.pages > 1 && view.live;
    byId("list-count").textContent = stands ? `${shown}, as of ${at(this.read, zone, "second")}` : shown;
    const button = (/** @type {string} */ text, /** @type {() => void} */ act) => el("button", { type: "button", "data-keep": text, onclick: act }, text);
    replace(byId("list-tools"),
      stands ? button("Back to the newest", () => this.change("order", order)) : null,
      button(order === "asc" ? "Newest first" : "Oldest first", () => this.change("order", order === "asc" ? "" : "asc")),
      columnChoice(cols, operator, (keys) => this.change("cols", keys.join(","))));
    replace(byId("calls"),
      callList(rows, { zone, columns: columnsOf(cols, operator), open: this.open }),
      cursor ? el("p", { class: "more" }, button(`Show ${PAGE} more`, () => this.more().catch(this.report))) : null);
  }
}
