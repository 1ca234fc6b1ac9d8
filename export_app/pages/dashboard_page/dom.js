// Elements made from text. Callers choose their names and numbers, so nothing here or elsewhere parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/**
 * @template {Element} Made
 * @param {Made} element
 * @param {Page.Attributes} attributes
 * @param {Page.Child[]} children
 */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  for (const child of children.flat()) if (child !== null && child !== undefined) element.append(child instanceof Node ? child : String(child));
  return element;
}

/**
 * Make an HTML element; texts among its children become text, never HTML.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Page.Attributes} attributes a function under a name such as `onclick` is a listener
 * @param {Page.Child[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/**
 * Make an SVG element.
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Page.Attributes} attributes
 * @param {Page.Child[]} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/**
 * Return a text, or the element that a function makes.
 * @param {Page.Name} name
 */
export const written = (name) => (typeof name === "function" ? name() : name);

/**
 * Return a text with its `commands` as code.
 * @param {string} text
 * @returns {Page.Part[]}
 */
export const prose = (text) => text.split("`").map((part, n) => (n % 2 ? el("code", {}, part) : part));

/**
 * Find the element with an id of index.html, which must have it.
 * @template {string} Id
 * @param {Id} id
 * @returns {Id extends keyof PageElements ? PageElements[Id] : HTMLElement}
 */
export const byId = (id) => /** @type {any} */ (document.getElementById(id));

/**
 * Find the field of a form by its name, which the form must have.
 * @param {HTMLFormElement} form
 * @param {string} name
 */
export const field = (form, name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name));

/**
 * Replace the children of a host. What was open or focused is so again, matched by its data-keep.
 * @param {Element} host
 * @param {(Element | string | null | undefined)[]} children
 */
export function replace(host, ...children) {
  /** @param {Element | null} element */
  const nameOf = (element) => element?.getAttribute("data-keep");
  const focus = host.contains(document.activeElement) ? nameOf(document.activeElement) : undefined;
  const open = new Set([...host.querySelectorAll("details[open][data-keep]")].map(nameOf));
  host.replaceChildren(...children.filter((child) => child !== null && child !== undefined));
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (host.querySelectorAll("[data-keep]"))) {
    if (element instanceof HTMLDetailsElement) element.open = open.has(element.dataset.keep);
    else if (element.dataset.keep === focus) element.focus({ preventScroll: true });
  }
}

/**
 * Make a box that scrolls what is too wide or too high for it; while it does, keys reach it, too.
 * @param {string} name of what it holds, for those who do not see it
 * @param {Page.Child[]} children
 */
export function scroller(name, ...children) {
  const box = el("div", { class: "scroll" }, ...children);
  const watch = new ResizeObserver(() => {
    const scrolls = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
    for (const [attribute, value] of Object.entries({ tabindex: "0", role: "region", "aria-label": name })) {
      if (scrolls) box.setAttribute(attribute, value);
      else box.removeAttribute(attribute);
    }
  });
  for (const element of [box, ...box.children]) watch.observe(element);
  return box;
}

/**
 * Make a table.
 * @template Row
 * @param {string} caption for those who do not see where it stands
 * @param {Page.Column<Row>[]} columns
 * @param {Row[]} rows
 */
export function table(caption, columns, rows) {
  return el("table", {},
    el("caption", { class: "hidden" }, caption),
    el("thead", {}, el("tr", {}, columns.map(({ name, cls }) => el("th", { scope: "col", class: cls }, written(name))))),
    el("tbody", {}, rows.map((row) => el("tr", {}, columns.map(({ cls, cell }) => el("td", { class: cls }, cell(row)))))));
}
