// By how much a figure differs from that of the time before. Pure.

import { percent } from "./format.js";

const signed = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 0, signDisplay: "exceptZero" });
const points = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1, signDisplay: "exceptZero" });

/**
 * Say how an amount differs from the one before, as +12% on last week; null where there is nothing to compare with.
 * @param {number} now
 * @param {number | null | undefined} earlier in the same unit
 * @param {string | undefined} name of the time before
 */
export const change = (now, earlier, name) => (earlier ? `${signed.format(now / earlier - 1)} on ${name}` : null);

/**
 * Say by how many points of percent a share differs, for a percentage of a percentage is read wrong.
 * @param {number | null | undefined} now 0 to 1
 * @param {number | null | undefined} earlier 0 to 1
 * @param {string | undefined} name of the time before
 */
export const changeOfShare = (now, earlier, name) =>
  (typeof now !== "number" || typeof earlier !== "number" ? null : `${points.format((now - earlier) * 100)} points on ${name} (${percent(earlier)})`);

/**
 * Return the sum of one currency, in micros; null when there is none.
 * @param {Pick<Page.Figures, "cost">} total
 * @param {string | null} currency ISO 4217
 */
export const costIn = (total, currency) => total.cost.find((sum) => sum.currency === currency)?.cost_micros ?? null;
