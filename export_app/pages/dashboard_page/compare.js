// By how much a figure differs from that of the time before. Pure.

import { percent } from "./format.js";

const signed = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 0, signDisplay: "exceptZero" });
const points = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1, signDisplay: "exceptZero" });

/** Say how an amount differs from the one before, as +12% on last week; null where there is nothing to compare with. */
export const change = (now, earlier, name) => (earlier ? `${signed.format(now / earlier - 1)} on ${name}` : null);

/** The same of a share, in points of percent, for a percentage of a percentage is read wrong. */
export const changeOfShare = (now, earlier, name) =>
  (now === null || earlier === null || earlier === undefined ? null : `${points.format((now - earlier) * 100)} points on ${name} (${percent(earlier)})`);

/** Return the sum of one currency, in micros; null when there is none. */
export const costIn = (total, currency) => total.cost.find((sum) => sum.currency === currency)?.cost_micros ?? null;
