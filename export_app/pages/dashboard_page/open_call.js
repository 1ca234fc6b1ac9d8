// The dialog with the page of a call.

import { ApiError, fetchJson } from "./api.js";
import { callPage } from "./call_page.js";
import { byId, replace } from "./dom.js";

/**
 * Open the newest call of an id, of any age, or the one that started then; return whether there is one. Throws ApiError.
 * @param {string} id
 * @param {string | number | null} startTs epoch ms
 * @param {string} zone
 */
export async function openCall(id, startTs, zone) {
  try {
    /** @type {Api.CallDetails} */
    const { calls } = await fetchJson(`v1/calls/${encodeURIComponent(id)}`, { start_ts: startTs });
    const dialog = byId("detail");
    replace(dialog, ...callPage(calls[0], zone, () => dialog.close()));
    if (!dialog.open) dialog.showModal();
    return true;
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    return false;
  }
}
