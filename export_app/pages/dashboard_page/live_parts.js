// Tiles and tables that change while somebody looks: an element stays as long as what it shows, and only its text changes.

import { el, written } from "./dom.js";
import { explained } from "./words.js";

/** @typedef {import("./board.js").Figure} Figure @typedef {import("./thresholds.js").Level} Level */

/** How a level is written where there is no room for its reason. @type {Record<Level, string>} */
const SIGNS = { "": "", amber: "▲", red: "■" };

/**
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Make a tile; show() takes the figure again whenever it may have changed.
 * @param {Figure} figure
 * @param {"h2" | "h3"} heading the tag of its title
 * @returns {{element: HTMLElement, show: (figure: Figure) => void}}
 */
function makeTile(figure, heading) {
  const [value, reason, note] = [el("p", { class: "value" }), el("p", { class: "reason" }), el("p", { class: "muted" })];
  const element = el("div", { class: "tile card", "data-key": figure.key }, el(heading, {}, written(explained(figure.name))), value, reason, note);
  const show = (/** @type {Figure} */ next) => {
    element.dataset.level = next.level;
    setText(value, next.value);
    setText(reason, next.reason);
    setText(note, next.note);
  };
  show(figure);
  return { element, show };
}

/** Tiles in a host. */
export class Tiles {
  /**
   * @param {HTMLElement} host
   * @param {"h2" | "h3"} [heading]
   */
  constructor(host, heading = "h3") {
    this.host = host;
    this.heading = heading;
    /** @type {Map<string, {element: HTMLElement, show: (figure: Figure) => void}>} */
    this.made = new Map();
  }

  /** @param {Figure[]} figures */
  show(figures) {
    this.made = new Map(figures.map((figure) => [figure.key, this.made.get(figure.key) ?? makeTile(figure, this.heading)]));
    for (const figure of figures) this.made.get(figure.key)?.show(figure);
    arrange(this.host, [...this.made.values()].map(({ element }) => element));
  }
}

/**
 * Let an element have these children, and move none that stands where it should: what has the focus keeps it.
 * @param {Element} host
 * @param {Element[]} children
 */
function arrange(host, children) {
  for (const child of [...host.children]) if (!children.includes(child)) child.remove();
  children.forEach((child, place) => {
    if (host.children[place] !== child) host.insertBefore(child, host.children[place] ?? null);
  });
}

/**
 * What a cell shows: a text, or a figure with its level.
 * @typedef {string | Figure} Shown
 * @typedef {{name: string, cls?: string, cell: (row: any) => Shown}} Column
 */

/** A table whose rows have keys. */
export class LiveTable {
  /**
   * @param {string} caption
   * @param {Column[]} columns
   * @param {(row: any) => string} keyOf
   */
  constructor(caption, columns, keyOf) {
    this.columns = columns;
    this.keyOf = keyOf;
    this.body = el("tbody");
    this.element = el("table", {}, el("caption", { class: "hidden" }, caption),
      el("thead", {}, el("tr", {}, columns.map(({ name, cls }) => el("th", { scope: "col", class: cls }, written(explained(name)))))), this.body);
    /** @type {Map<string, HTMLElement>} */
    this.rows = new Map();
  }

  /** @param {any[]} rows */
  show(rows) {
    const before = this.rows;
    this.rows = new Map(rows.map((row) => {
      const line = before.get(this.keyOf(row)) ?? el("tr", {}, this.columns.map(({ cls }) => el("td", { class: cls })));
      this.columns.forEach(({ cell }, place) => show(/** @type {HTMLElement} */ (line.children[place]), cell(row)));
      return [this.keyOf(row), line];
    }));
    arrange(this.body, [...this.rows.values()]);
  }
}

/**
 * @param {HTMLElement} cell
 * @param {Shown} shown
 */
function show(cell, shown) {
  if (typeof shown === "string") {
    setText(cell, shown);
    return;
  }
  const { value, level, reason } = shown;
  const as = JSON.stringify([value, level, reason]);
  if (cell.dataset.as === as) return;
  cell.dataset.as = as;
  cell.dataset.level = level;
  // The sign for those who see no colours, its reason for those who see no signs.
  cell.replaceChildren(value, ...(level ? [" ", el("span", { class: "sign", title: reason, "aria-hidden": "true" }, SIGNS[level]), el("span", { class: "hidden" }, reason)] : []));
}
