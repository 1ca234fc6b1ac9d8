// The form in which a person sets from when figures are amber and red.

import { el, field, written } from "./dom.js";
import { faultOf, keepThresholds, MEASURES, usualThresholds, writeThresholds } from "./thresholds.js";
import { explained } from "./words.js";

/** @typedef {import("./thresholds.js").Thresholds} Thresholds */

/** The form, in a host of the page. */
export class ThresholdForm {
  /**
   * @param {HTMLElement} host
   * @param {(text: string) => void} set is called with what was set, as it stands in an address
   */
  constructor(host, set) {
    this.set = set;
    this.fault = el("p", { class: "fault", role: "alert" });
    this.fault.hidden = true;
    this.form = el("form", { "aria-label": "Thresholds", novalidate: true },
      el("p", { class: "muted" }, "From when a figure is amber, and from when red. An empty field: never. This browser keeps them, and the address has them, so that the view can be sent."),
      Object.entries(MEASURES).map(([key, measure]) => el("fieldset", {}, el("legend", {}, written(explained(measure.name))), this.field(key, "amber"), this.field(key, "red"), el("span", { class: "muted" }, `${measure.unit}${measure.low ? ", less is worse" : ""}`))),
      this.fault,
      el("p", { class: "buttons" }, el("button", { class: "primary", type: "submit" }, "Set thresholds"), " ",
        el("button", { type: "button", onclick: () => { this.fill(usualThresholds()); this.submit(); } }, "As usual")));
    this.form.addEventListener("submit", (/** @type {Event} */ event) => { event.preventDefault(); this.submit(); });
    host.append(el("summary", {}, "Thresholds"), this.form);
  }

  /**
   * @param {string} key
   * @param {"amber" | "red"} level
   */
  field(key, level) {
    const { low, name } = MEASURES[key];
    return el("label", {}, `${level === "red" ? "■ red" : "▲ amber"} ${low ? "below" : "from"} `,
      el("input", { name: `${key}-${level}`, inputmode: "numeric", autocomplete: "off", size: 5, "aria-label": `${name}, ${level} ${low ? "below" : "from"}` }));
  }

  /**
   * Show thresholds, unless somebody writes others at the moment.
   * @param {Thresholds} thresholds
   */
  show(thresholds) {
    if (!this.form.contains(document.activeElement) || document.activeElement?.tagName !== "INPUT") this.fill(thresholds);
  }

  /** @param {Thresholds} thresholds */
  fill(thresholds) {
    for (const [key, limits] of Object.entries(thresholds)) {
      for (const level of /** @type {const} */ (["amber", "red"])) field(this.form, `${key}-${level}`).value = String(limits[level] ?? "");
    }
  }

  submit() {
    /** @type {Thresholds} */
    const given = {};
    for (const key of Object.keys(MEASURES)) {
      const [amber, red] = ["amber", "red"].map((level) => {
        const text = field(this.form, `${key}-${level}`).value.trim();
        return text === "" ? null : /^\d+$/.test(text) ? Number(text) : NaN;
      });
      given[key] = { amber, red };
    }
    const faults = Object.entries(given).map(([key, limits]) => faultOf(key, limits)).filter(Boolean);
    this.fault.textContent = faults.join(" ");
    this.fault.hidden = faults.length === 0;
    if (faults.length) return;
    keepThresholds(given);
    this.set(writeThresholds(given));
  }
}
