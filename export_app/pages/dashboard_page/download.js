// Files for people, made of what the API answers: the key goes in a header, so a plain link would not do.

import { fetchCsv } from "./api.js";
import { el } from "./dom.js";
import { count } from "./format.js";

/**
 * Let the browser save a blob under a name.
 * @param {Blob} blob
 * @param {string} name
 */
function save(blob, name) {
  const url = URL.createObjectURL(blob);
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/**
 * Save the calls of a time that match filters as CSV. Throws ApiError.
 * @param {Page.Span} time
 * @param {Record<string, string>} filters
 * @param {(text: string) => void} tell says how far it is
 */
async function saveCalls({ since, until }, filters, tell) {
  tell("Fetching the calls…");
  const { blob, more } = await fetchCsv({ since, until, ...filters }, (pages) => tell(`Fetching the calls… ${count(pages * 10000)}`));
  const stamp = (/** @type {number} */ ms) => new Date(ms).toISOString().slice(0, 16).replace(/[-:]/g, "");
  save(blob, `calls-${stamp(since)}Z-${stamp(until)}Z.csv`);
  tell(more ? "The file has the newest 500,000 calls. For the rest, choose a shorter time or use the API." : "");
}

/**
 * Let a button save the calls of a view.
 * @param {HTMLButtonElement} button
 * @param {() => [Page.Span, Record<string, string>]} view its time and its filters
 * @param {(text: string) => void} tell says how far it is
 * @param {(error: unknown) => void} report
 */
export function startDownload(button, view, tell, report) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await saveCalls(...view(), tell);
    } catch (error) {
      tell("");
      report(error);
    } finally {
      button.disabled = false;
    }
  });
}
