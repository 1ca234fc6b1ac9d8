// The form of the filter: its fields, and those of a time that are shown where one is chosen.

import { field } from "./dom.js";
import { localOf } from "./format.js";

const HOUR = 3_600_000;

/**
 * Write values into the fields of their names, and show the fields that the chosen time needs.
 * @param {HTMLFormElement} form
 * @param {Page.View} values
 */
export function fillForm(form, values) {
  for (const [name, value] of Object.entries(values)) field(form, name).value = value;
  for (const range of ["custom", "month"]) {
    for (const label of /** @type {NodeListOf<HTMLElement>} */ (form.querySelectorAll(`.${range}`))) label.hidden = field(form, "range").value !== range;
  }
}

/**
 * Let the choice of a time show its calls, or ask which time it is, beginning with the one that is shown.
 * @param {HTMLFormElement} form
 * @param {() => Page.View} shown
 * @param {() => void} show
 */
export function startRange(form, shown, show) {
  field(form, "range").addEventListener("change", () => {
    const { range: before, tz } = shown();
    const now = Date.now();
    const range = field(form, "range").value;
    if (range === "custom" && !field(form, "from").value) {
      fillForm(form, { from: localOf(now - (Number(before) || 24) * HOUR, tz), to: localOf(now, tz) });
    } else if (range === "month" && !field(form, "month").value) {
      fillForm(form, { month: localOf(now, tz).slice(0, 7) });
    } else {
      fillForm(form, {});
    }
    if (range !== "custom") show();
  });
}
