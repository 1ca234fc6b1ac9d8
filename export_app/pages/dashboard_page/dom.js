// Elements made of text. Numbers and names are chosen by callers: nothing here or elsewhere parses HTML.

const SVG = "http://www.w3.org/2000/svg";

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Make an HTML element; children are elements, or text that stays text. */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Make an SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** Find the element with an id of index.html. */
export const byId = (id) => document.getElementById(id);

/** Put children in place of what a host holds; what was open or had the focus, by its data-keep, is so again. */
export function replace(host, ...children) {
  const focus = host.contains(document.activeElement) ? document.activeElement.dataset.keep : undefined;
  const open = new Set([...host.querySelectorAll("details[open][data-keep]")].map((one) => one.dataset.keep));
  host.replaceChildren(...children.filter((one) => one));
  for (const one of host.querySelectorAll("[data-keep]")) {
    if (one.tagName === "DETAILS") one.open = open.has(one.dataset.keep);
    else if (one.dataset.keep === focus) one.focus({ preventScroll: true });
  }
}

/** Make a table. columns: {name, cell(row), cls}; cls "wide" is left out on a phone, "number" is set to the right. */
export function table(caption, columns, rows) {
  return el("table", {},
    el("caption", { class: "hidden" }, caption),
    el("thead", {}, el("tr", {}, columns.map((one) => el("th", { scope: "col", class: one.cls }, one.name)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, columns.map((one) => el("td", { class: one.cls }, one.cell(row)))))));
}
