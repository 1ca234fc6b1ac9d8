// Stacked bars as SVG, which the arrow keys move through, and the same numbers as a table.

import { el, scroller, svg, table } from "./dom.js";

const HEIGHT = 220;
const MARGIN = { left: 52, right: 8, top: 10, bottom: 24 };
const LABEL_WIDTH = 64;

/**
 * Return the smallest of 1, 2, 5, 10, 20, … that is at least a quarter of `highest`, and at least `least`.
 * @param {number} highest
 * @param {number} least
 */
function step(highest, least) {
  const raw = Math.max(highest / 4, least);
  const power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw * 0.999999) ?? 10 * power;
}

/**
 * Make a chart of stacked bars. A bar whose time is cut off at an end of the window is lighter, for it is lower than its
 * neighbours for that reason.
 * @param {object} what
 * @param {string} what.title
 * @param {Page.Point[]} what.points the bars, with a value for each of the series
 * @param {{name: string, cls: string}[]} what.series
 * @param {(value: number) => string} what.format the text of a value
 * @param {number} what.least the smallest step of the axis
 */
export function chart({ title, points, series, format, least }) {
  const sum = (/** @type {Page.Point} */ point) => point.values.reduce((total, value) => total + value, 0);
  const describe = (/** @type {Page.Point} */ point) => {
    const parts = series.map(({ name }, n) => ({ name, value: point.values[n] })).filter(({ value }) => value > 0);
    const named = series.length > 1 ? parts.map(({ name, value }) => `${name} ${format(value)}`).join(", ") : "";
    return `${point.label}: ${format(sum(point))}${named ? ` (${named})` : ""}`;
  };
  const total = points.reduce((all, point) => all + sum(point), 0);
  const readout = el("p", { class: "readout muted", "aria-live": "polite" }, " ");
  const host = el("div", { class: "plot" });
  let chosen = -1;

  /** @param {number} n */
  function choose(n) {
    chosen = Math.max(0, Math.min(points.length - 1, n));
    host.querySelectorAll(".bar").forEach((bar, index) => bar.classList.toggle("chosen", index === chosen));
    readout.textContent = describe(points[chosen]);
  }

  function draw() {
    const width = Math.max(host.clientWidth, 200);
    const inner = { width: width - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
    const grid = step(Math.max(...points.map(sum), 0), least);
    const top = Math.max(grid, Math.ceil(Math.max(...points.map(sum), 0) / grid - 1e-9) * grid);
    const y = (/** @type {number} */ value) => MARGIN.top + inner.height * (1 - value / top);
    const slot = inner.width / points.length;
    const every = Math.ceil(LABEL_WIDTH / slot);
    const picture = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", tabindex: 0,
      "data-keep": `${title}, drawn`,
      "aria-label": `${title}: ${format(total)} in total. Use the arrow keys to move between the bars.` });
    for (let value = 0; value <= top + grid / 2; value += grid) {
      picture.append(svg("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }),
        svg("text", { class: "axis", x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }, format(value)));
    }
    points.forEach((point, n) => {
      const x = MARGIN.left + n * slot;
      const bar = svg("g", { class: point.part ? "bar part" : "bar" }, svg("title", {}, describe(point)),
        svg("rect", { class: "slot", x, y: MARGIN.top, width: slot, height: inner.height }));
      let below = 0;
      point.values.forEach((value, index) => {
        if (value <= 0) return;
        bar.append(svg("rect", { class: `fill ${series[index].cls}`, x: x + slot * 0.1, width: slot * 0.8,
          y: y(below + value), height: y(below) - y(below + value) }));
        below += value;
      });
      bar.addEventListener("pointerenter", () => choose(n));
      picture.append(bar);
      if (n % every === 0 && x + LABEL_WIDTH / 2 < width) {
        picture.append(svg("text", { class: "axis", x: x + slot / 2, y: HEIGHT - 6, "text-anchor": "middle" }, point.tick));
      }
    });
    picture.addEventListener("keydown", (event) => {
      /** @type {Record<string, number>} */
      const moves = { ArrowLeft: chosen - 1, ArrowRight: chosen + 1, Home: 0, End: points.length - 1 };
      if (!(event.key in moves)) return;
      event.preventDefault();
      choose(moves[event.key]);
    });
    host.replaceChildren(picture);
    if (chosen >= 0) choose(chosen);
  }

  new ResizeObserver(draw).observe(host);
  const legend = series.length > 1 ? el("ul", { class: "legend" }, series.map(({ name, cls }) =>
    el("li", {}, svg("svg", { class: "key", viewBox: "0 0 10 10", "aria-hidden": "true" },
      svg("rect", { class: `fill ${cls}`, width: 10, height: 10, rx: 2 })), name))) : null;
  const parts = points.some((point) => point.part)
    ? el("p", { class: "muted" }, "A pale bar is only a part of its time: it is cut off where the chosen time begins or ends.") : null;
  const columns = [{ name: "Time", cell: (/** @type {Page.Point} */ point) => point.label },
    ...series.map(({ name }, n) => ({ name, cls: "number", cell: (/** @type {Page.Point} */ point) => format(point.values[n]) }))];
  return el("figure", { class: "card" }, el("figcaption", {}, el("h2", {}, title)), legend, host, readout, parts,
    el("details", { "data-keep": title }, el("summary", { "data-keep": `${title}, as a table` }, "As a table"), scroller(title, table(title, columns, points))));
}
