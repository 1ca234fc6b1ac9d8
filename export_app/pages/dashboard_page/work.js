// What an operator has to settle: calls without a price, and calls without an account, each with what helps.

import { el, prose, scroller, table } from "./dom.js";
import { at, count } from "./format.js";

/**
 * A line of the list. newest: null where it is not known.
 * @typedef {{account: string | null, calls: number, what: string, helps: string, newest: {call_id: string, start_ts: number} | null}} Work
 */

const WITHOUT_ACCOUNT = {
  what: "the call has no account: nobody is billed for it",
  helps: "say whose it is: `tollbook account number add ACCOUNT NUMBER` for a number that was called, accountcode on the switch for phones and trunks",
};
const OF_ARCHIVE = {
  what: "calls that only the archive has, which does not keep why",
  helps: "`tollbook rerate --unrated` prices what has a rate now; `tollbook explain CALL_ID` says what is still missing of a call",
};

/**
 * List what is to be settled, the most calls first. Pure.
 * @param {Page.Group[]} accounts the sums of each account
 * @param {Api.UnratedCalls[]} reasons those that are known
 * @param {boolean} all whether there are no more reasons than these
 * @returns {Work[]}
 */
export function workOf(accounts, reasons, all) {
  const rows = reasons.filter((some) => some.account_id !== null && some.kind !== "imported")
    .map((some) => ({ account: some.account_id, calls: some.calls, what: some.what, helps: some.helps, newest: some }));
  /** @type {Work[]} */
  const rest = accounts.flatMap((group) => {
    // Of calls without an account those that nobody answered are to be settled, too: the next one may be answered.
    if (group.account_id === null) {
      const known = reasons.find((some) => some.account_id === null) ?? null;
      return { account: null, calls: group.calls, ...WITHOUT_ACCOUNT, newest: known };
    }
    const known = reasons.filter((some) => some.account_id === group.account_id).reduce((sum, some) => sum + some.calls, 0);
    const calls = group.unrated - known;
    return calls > 0 ? { account: group.account_id ?? null, calls, ...OF_ARCHIVE, what: all ? OF_ARCHIVE.what : `other reasons, and ${OF_ARCHIVE.what}`, newest: null } : [];
  });
  return [...rows, ...rest].sort((one, other) => other.calls - one.calls);
}

/**
 * Make the card of what is to be settled; null when nothing is.
 * @param {Page.Stats} accounts by account
 * @param {Api.Unrated} found
 * @param {string} zone
 * @param {(id: string, start: number) => void} open shows a call
 */
export function workCard(accounts, found, zone, open) {
  const rows = workOf(accounts.groups, found.unrated, found.unrated.reduce((sum, some) => sum + some.calls, 0) === found.calls);
  if (!rows.length) return null;
  const title = "To be settled";
  return el("section", { class: "card whole" }, el("h2", {}, title),
    el("p", { class: "muted" }, "What has no price is in no cost and in no statement."),
    scroller(title, table(title, [
      { name: "Account", cls: "name", cell: (row) => row.account ?? "none" },
      { name: "Calls", cls: "number", cell: (row) => count(row.calls) },
      { name: "Why", cls: "name", cell: (row) => row.what },
      { name: "What helps", cls: "name", cell: (row) => prose(row.helps) },
      { name: "The newest", cls: "name", cell: ({ newest }) => (newest === null ? "" : el("button", { type: "button", class: "link", title: "Show details",
        onclick: () => open(newest.call_id, newest.start_ts) }, at(newest.start_ts, zone, "hour"))) },
    ], rows)));
}
