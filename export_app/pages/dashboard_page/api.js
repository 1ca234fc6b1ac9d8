// The API, as this page uses it. Each request has a session's cookie, which no script can read.

/** An error with a message for people. */
export class ApiError extends Error {
  /**
   * @param {number} status that of the response; 0: there was none
   * @param {string} message a sentence without its full stop
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** @typedef {Record<string, string | number | null | undefined>} Parameters those that are empty are not sent */

/**
 * Ask the API; throws ApiError, and AbortError when it was told to stop.
 * @param {string} path
 * @param {Parameters} parameters
 * @param {RequestInit} options
 */
export async function request(path, parameters = {}, options = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  let response;
  try {
    // A relative address, so that a web server in front may serve this page under a path.
    response = await fetch(query ? `${path}?${query}` : path, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, "The server does not answer. Is `tollbook serve` running, and is this computer online?");
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  throw new ApiError(response.status, body.message ?? `The server answered ${response.status} without a reason.`);
}

/**
 * Start a session with an API key, which is sent this once and kept nowhere; throws ApiError.
 * @param {string} key
 */
export async function signInWith(key) {
  try {
    await request("v1/session", {}, { method: "POST", headers: { "x-api-key": key } });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    throw new ApiError(401, "This key is unknown or revoked: is it whole, as it was shown when it was made? If so, ask for a new one");
  }
}

/**
 * End this browser's session, or every one of its key; throws ApiError.
 * @param {boolean} everywhere
 */
export async function endSession(everywhere) {
  await request(everywhere ? "v1/sessions" : "v1/session", {}, { method: "DELETE" });
}

/**
 * Fetch JSON: one of the shapes of Api, which the caller names; throws ApiError.
 * @param {string} path without a slash at its beginning
 * @param {Parameters} parameters times in epoch ms
 * @returns {Promise<any>}
 */
export async function fetchJson(path, parameters = {}) {
  return (await request(path, parameters)).json();
}

const CSV_PAGES = 50; // of 10,000 calls: the file is put together in the browser's memory

/**
 * Fetch the selected calls as one CSV file, page by page; throws ApiError.
 * @param {Parameters} parameters as /v1/calls takes them
 * @param {(pages: number) => void} progress is told of each page of 10,000 calls
 * @returns {Promise<{blob: Blob, more: boolean}>} more: there are calls that the file has no place for
 */
export async function fetchCsv(parameters, progress) {
  /** @type {string[]} */
  const pieces = [];
  /** @type {string | null} */
  let cursor = null;
  for (let page = 1; page <= CSV_PAGES; page += 1) {
    const response = await request("v1/calls", { ...parameters, format: "csv", limit: 10000, cursor });
    const text = await response.text();
    pieces.push(page === 1 ? text : text.slice(text.indexOf("\r\n") + 2));
    cursor = response.headers.get("X-Next-Cursor");
    if (!cursor) return { blob: new Blob(pieces, { type: "text/csv;charset=utf-8" }), more: false };
    progress(page);
  }
  return { blob: new Blob(pieces, { type: "text/csv;charset=utf-8" }), more: true };
}
