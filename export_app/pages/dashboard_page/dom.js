// Elements made from text. Callers choose their names and numbers, so nothing here or elsewhere parses HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Make an HTML element; children are elements, or strings that become text. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Make an SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Return a text, or the element that a function makes. */
export const written = (name) => (typeof name === "function" ? name() : name);

/** Return a text with its `commands` as code. */
export const prose = (text) => text.split("`").map((part, n) => (n % 2 ? el("code", {}, part) : part));

/** Find the element with an id of index.html. */
export const byId = (id) => document.getElementById(id);

/** Replace the children of a host. What was open or focused is so again, matched by its data-keep. */
export function replace(host, ...children) {
  const focus = host.contains(document.activeElement) ? document.activeElement.dataset.keep : undefined;
  const open = new Set([...host.querySelectorAll("details[open][data-keep]")].map((details) => details.dataset.keep));
  host.replaceChildren(...children.filter((child) => child));
  for (const element of host.querySelectorAll("[data-keep]")) {
    if (element.tagName === "DETAILS") element.open = open.has(element.dataset.keep);
    else if (element.dataset.keep === focus) element.focus({ preventScroll: true });
  }
}

/** Make a table. columns: {name, cell(row), cls}; name is a text or makes an element; cls "wide" is hidden on a phone, "number" is aligned right. */
export function table(caption, columns, rows) {
  return el("table", {},
    el("caption", { class: "hidden" }, caption),
    el("thead", {}, el("tr", {}, columns.map(({ name, cls }) => el("th", { scope: "col", class: cls }, written(name))))),
    el("tbody", {}, rows.map((row) => el("tr", {}, columns.map(({ cls, cell }) => el("td", { class: cls }, cell(row)))))));
}
