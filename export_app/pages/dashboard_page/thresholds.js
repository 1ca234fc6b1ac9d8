// From when a figure is amber or red: as a person sets it, as it stands in an address, and what a value is then. Pure.

/**
 * From when a figure is amber and red; null: never.
 * @typedef {{amber: number | null, red: number | null}} Limits
 * @typedef {"" | "amber" | "red"} Level
 * @typedef {{name: string, unit: string, most: number, low: boolean, usual: Limits}} Measure
 */

/**
 * What can have thresholds. low: less is worse.
 * @type {Record<string, Measure>}
 */
export const MEASURES = {
  wait: { name: "Longest wait", unit: "seconds", most: 86_400, low: false, usual: { amber: 60, red: 120 } },
  waiting: { name: "Waiting", unit: "callers", most: 2_000, low: false, usual: { amber: 5, red: 10 } },
  level: { name: "Service level", unit: "%", most: 100, low: true, usual: { amber: 80, red: 60 } },
  abandoned: { name: "Abandon rate", unit: "%", most: 100, low: false, usual: { amber: 5, red: 10 } },
};

/** @typedef {Record<string, Limits>} Thresholds */

/**
 * Return those that count where nobody has set any.
 * @returns {Thresholds}
 */
export const usualThresholds = () => Object.fromEntries(Object.entries(MEASURES).map(([key, { usual }]) => [key, { ...usual }]));

const written = (/** @type {number | null} */ value) => (value === null ? "" : String(value));

/**
 * Write thresholds for an address: wait-60-120_waiting-5-10_….
 * @param {Thresholds} thresholds
 * @returns {string}
 */
export const writeThresholds = (thresholds) =>
  Object.keys(MEASURES).map((key) => [key, written(thresholds[key].amber), written(thresholds[key].red)].join("-")).join("_");

/**
 * Return what is wrong with the limits of a measure, as a sentence; null: nothing.
 * @param {string} key
 * @param {Limits} limits
 * @returns {string | null}
 */
export function faultOf(key, { amber, red }) {
  const { name, most, low } = MEASURES[key];
  for (const value of [amber, red]) {
    if (value !== null && !(Number.isInteger(value) && value >= 0 && value <= most)) return `${name}: enter whole numbers from 0 to ${most}, or nothing.`;
  }
  if (amber === null || red === null || (low ? amber >= red : amber <= red)) return null;
  return `${name}: red comes after amber, so it must be ${low ? "lower" : "higher"}.`;
}

/**
 * Read thresholds out of an address or out of what was kept; what is not valid counts as usual.
 * @param {string | null | undefined} text
 * @returns {Thresholds}
 */
export function readThresholds(text) {
  const found = usualThresholds();
  for (const part of (text ?? "").split("_")) {
    const [, key, amber, red] = /^([a-z]+)-(\d*)-(\d*)$/.exec(part) ?? [];
    if (!key || !Object.hasOwn(MEASURES, key)) continue;
    const limits = { amber: amber ? Number(amber) : null, red: red ? Number(red) : null };
    if (faultOf(key, limits) === null) found[key] = limits;
  }
  return found;
}

/**
 * Return what a value is; null, which is not known, is nothing.
 * @param {string} key
 * @param {number | null} value
 * @param {Thresholds} thresholds
 * @returns {Level}
 */
export function levelOf(key, value, thresholds) {
  if (value === null) return "";
  const { low } = MEASURES[key];
  const reached = (/** @type {number | null} */ limit) => limit !== null && (low ? value < limit : value >= limit);
  return reached(thresholds[key].red) ? "red" : reached(thresholds[key].amber) ? "amber" : "";
}

/**
 * Return why a value has its level, for those who see no colours: "Red: from 2:00".
 * @param {string} key
 * @param {Level} level
 * @param {Thresholds} thresholds
 * @param {(key: string, limit: number) => string} shown how a limit is written
 * @returns {string}
 */
export function reasonOf(key, level, thresholds, shown) {
  const limit = level ? thresholds[key][level] : null;
  if (limit === null) return "";
  return `${level === "red" ? "■ Red" : "▲ Amber"}: ${MEASURES[key].low ? "below" : "from"} ${shown(key, limit)}`;
}

const ORDER = { "": 0, amber: 1, red: 2 };

/**
 * Return the worst of some levels.
 * @param {Level[]} levels
 * @returns {Level}
 */
export const worstOf = (levels) => levels.reduce((worst, level) => (ORDER[level] > ORDER[worst] ? level : worst), /** @type {Level} */ (""));

const KEPT = "tollbook.thresholds";

/**
 * Return what this browser keeps as text; null: nothing, or it keeps nothing for pages.
 * @returns {string | null}
 */
export function keptThresholds() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

/**
 * Keep thresholds in this browser, where it keeps anything for pages.
 * @param {Thresholds} thresholds
 */
export function keepThresholds(thresholds) {
  try {
    localStorage.setItem(KEPT, writeThresholds(thresholds));
  } catch {
    // They are in the address, too.
  }
}
