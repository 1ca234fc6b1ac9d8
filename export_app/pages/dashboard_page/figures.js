// The figures of a view: tiles, charts, rankings and doubts, drawn as their answers come.

import { fetchJson } from "./api.js";
import { byId, replace } from "./dom.js";
import { chosen, isQuick } from "./filters.js";
import { charts, doubtList, OF_AGENTS, orRefusal, ranking, tiles } from "./overview.js";
import { windowOf } from "./ranges.js";

const HOUR = 3_600_000;
const HOURLY_UP_TO = 49 * HOUR; // a longer time is shown by day
const DAILY_UP_TO = 400 * 24 * HOUR; // a longer time than this is shown by month
const TOP = 10;
const REST = 500; // ms that a view stands before its rankings are asked for, whose sums take longest: whoever goes on at once waits for none

/** Take away all figures. */
export function clearFigures() {
  for (const id of ["tiles", "charts", "rankings", "doubts"]) replace(byId(id));
  byId("empty").hidden = true;
}

/**
 * Load the figures of a view. Throws ApiError, and AbortError when they are no longer wanted.
 * @param {Page.View} view
 * @param {object} page
 * @param {boolean} page.operator
 * @param {() => boolean} page.current whether they are still wanted
 * @param {(total: Page.Figures) => void} page.tell is told of the sums as they are drawn
 * @param {(name: string, value: string) => void} page.filterBy applies a filter
 */
export async function loadFigures(view, { operator, current, tell, filterBy }) {
  const { since, until, before } = windowOf(view, Date.now());
  const unit = until - since <= HOURLY_UP_TO ? "hour" : until - since <= DAILY_UP_TO ? "day" : "month";
  const parameters = { since, until, tz: view.tz, ...chosen(view) };
  /** @type {(group_by: string | null, more?: Record<string, string | number>) => Promise<Page.Stats>} */
  const stats = async (group_by, more = {}) => {
    const found = await fetchJson("v1/stats", { ...parameters, group_by, limit: TOP, ...more });
    if (!current()) throw new DOMException("an older filter", "AbortError");
    return found;
  };
  // One after the other: each query may take the database seconds, and other users need it, too.
  const byTime = await stats(`${unit},disposition`, { limit: 10000 });
  const { total } = byTime;
  tell(total);
  replace(byId("tiles"), ...tiles(byTime));
  replace(byId("charts"), ...(total.calls ? charts(byTime, unit, view.tz) : []));
  byId("empty").hidden = total.calls > 0;
  byId("empty").textContent = "No calls match in this time. Choose a longer time or clear the filter. If there should "
    + "be some, the operator can check with tollbook doctor that Tollbook hears the switch.";
  if (before && isQuick(view)) {
    const earlier = (await stats(null, { since: before.since, until: before.until })).total;
    replace(byId("tiles"), ...tiles(byTime, { total: earlier, name: before.name }));
  }
  if (operator) {
    const found = await fetchJson("v1/doubts", { since });
    if (!current()) return;
    replace(byId("doubts"), doubtList(found));
  }
  if (!total.calls) {
    replace(byId("rankings"));
    return;
  }
  await new Promise((resolve) => { setTimeout(resolve, REST); });
  if (!current()) return;
  const rankings = [
    await orRefusal("Top destinations", () => stats("prefix", { direction: view.direction || "outbound" }),
      (found) => ranking("Top destinations", "Prefix", found, "prefix")),
    ranking("Queues", "Queue", await stats("queue"), "queue_id", { pick: (value) => filterBy("queue_id", value) }),
    ranking("Agents", "Agent", await stats("agent"), "agent_id", { pick: (value) => filterBy("agent_id", value), columns: OF_AGENTS }),
    operator ? ranking("Accounts", "Account", await stats("account"), "account_id", { pick: (value) => filterBy("account", value) }) : null,
  ];
  replace(byId("rankings"), ...rankings);
}
