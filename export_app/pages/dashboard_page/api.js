// The API as this page uses it. The key lives in this tab's sessionStorage and goes out in a header, nowhere else.

const KEY = "tollbook.key";

/** What went wrong, in words for people; status 0: no answer came. */
export class Failure extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),
};

async function fetched(path, parameters) {
  const known = Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const query = new URLSearchParams(known).toString();
  let answer;
  try {
    // Relative, so that a web server in front may put this page below a path.
    answer = await fetch(query ? `${path}?${query}` : path, { headers: { "x-api-key": key.get() ?? "" } });
  } catch {
    throw new Failure(0, "The server does not answer. Is `tollbook serve` up, and this computer online?");
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Failure(answer.status, told.message ?? `The server answered ${answer.status}, and did not say why.`);
}

/** Ask for JSON; throws Failure. */
export async function ask(path, parameters = {}) {
  return (await fetched(path, parameters)).json();
}

const CSV_PAGES = 50;

/** Fetch all calls of a selection as one CSV blob, a page at a time; tells `progress` how many pages are there. */
export async function csv(parameters, progress) {
  const pieces = [];
  let cursor = null;
  for (let page = 1; page <= CSV_PAGES; page += 1) {
    const answer = await fetched("v1/calls", { ...parameters, format: "csv", limit: 10000, cursor });
    const text = await answer.text();
    pieces.push(page === 1 ? text : text.slice(text.indexOf("\r\n") + 2));
    cursor = answer.headers.get("X-Next-Cursor");
    if (!cursor) return { blob: new Blob(pieces, { type: "text/csv;charset=utf-8" }), more: false };
    progress(page);
  }
  return { blob: new Blob(pieces, { type: "text/csv;charset=utf-8" }), more: true };
}
