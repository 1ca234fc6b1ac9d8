// What a view can be filtered by, and what a text typed into the search field asks for. Pure: no page, no request.

/**
 * The filters of the API that a view can have, with their names for people.
 * @type {Record<string, string>}
 */
export const FILTERS = {
  direction: "Direction", disposition: "Disposition", number: "Number", from_num: "From", to_num: "To",
  queue_id: "Queue", agent_id: "Agent", account: "Account", hangup_cause: "Hangup cause", hung_up_by: "Hung up by",
  destination: "Destination", gateway: "Gateway", codec: "Codec", sip_call_id: "SIP Call-ID", sip_status: "SIP status",
  min_billsec: "Billed seconds from", open: "Up now", voicemail: "Voicemail", var: "Variable",
};

/** @type {Record<string, string>} */
const WORDS = {
  number: "number", from: "from_num", caller: "from_num", to: "to_num", called: "to_num", queue: "queue_id", agent: "agent_id",
  account: "account", cause: "hangup_cause", destination: "destination", gateway: "gateway", codec: "codec",
  sip: "sip_call_id", status: "sip_status", var: "var", call: "call_id", id: "call_id",
};

// The sums of these are kept for ever: a question about a year takes no longer than one about a day.
const OF_KEPT_SUMS = ["direction", "disposition", "queue_id", "agent_id", "account"];

/**
 * Return the filters that are set, as the API takes them.
 * @param {Page.View} view
 * @returns {Record<string, string>}
 */
export const chosen = (view) => Object.fromEntries(Object.keys(FILTERS).filter((name) => view[name]).map((name) => [name, view[name]]));

/**
 * Return whether sums with a view's filters are kept, so that asking for them costs nothing.
 * @param {Page.View} view
 */
export const isQuick = (view) => Object.keys(chosen(view)).every((name) => OF_KEPT_SUMS.includes(name));

/**
 * Return the filters that are set and have no field of their own.
 * @param {Page.View} view
 */
export const chips = (view) => Object.keys(chosen(view)).filter((name) => name !== "direction" && name !== "disposition")
  .map((name) => ({ name, label: FILTERS[name], value: view[name] }));

/** @type {(number: string) => string} */
const bare = (number) => number.replace(/[\s().\/-]/g, "");

/**
 * Return what a text asks for: {filter: [name, value]}; {call}, the id of one; or {word}, which may be several things.
 * A short number is a word: extensions, agents and queues are written alike.
 * @param {string} text
 * @returns {{filter?: [string, string], call?: string, word?: string}}
 */
export function classify(text) {
  const typed = text.trim();
  const [, word, value] = /^([a-z]+):\s*(\S.*)$/i.exec(typed) ?? [];
  const named = (word ?? "").toLowerCase();
  const name = Object.hasOwn(WORDS, named) ? WORDS[named] : null;
  if (name === "call_id") return { call: value };
  if (name) return { filter: [name, /_num$|^number$/.test(name) && /^[\d+]/.test(value) ? bare(value) : value] };
  if (/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(typed)) return { call: typed };
  if (/^\+?[\d\s().\/*#-]+$/.test(typed) && bare(typed).length > 6) return { filter: ["number", bare(typed)] };
  return { word: typed };
}

/**
 * Return what a word may be, best first.
 * @param {string} word
 * @param {Record<string, (string | null)[]>} known the names by their filter
 * @returns {Page.Candidate[]}
 */
export function candidates(word, known) {
  const sought = word.toLowerCase();
  const found = Object.entries(known).flatMap(([name, values]) => values
    .filter((value) => value !== null)
    .filter((value) => value.toLowerCase().includes(sought))
    .map((value) => ({ name, value, exact: [value, value.split("@")[0]].some((one) => one.toLowerCase() === sought) })));
  /** @type {(one: Page.Candidate) => number} */
  const rank = ({ exact, value }) => (exact ? 0 : value.toLowerCase().startsWith(sought) ? 1 : 2);
  return found.sort((one, other) => rank(one) - rank(other) || one.value.localeCompare(other.value));
}
