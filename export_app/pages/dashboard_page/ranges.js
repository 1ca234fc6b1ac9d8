// The times that a view can be of, in a time zone, and the time before each that it is compared with.

import { ApiError } from "./api.js";
import { localOf, momentOf, monthAfter } from "./format.js";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** @type {(ms: number, zone: string) => string} */
const dateOf = (ms, zone) => localOf(ms, zone).slice(0, 10);
/** @type {(date: string, days: number) => string} */
const daysAfter = (date, days) => new Date(Date.parse(`${date}T00:00Z`) + days * DAY).toISOString().slice(0, 10);
/** @type {(date: string) => string} */
const monday = (date) => daysAfter(date, -((new Date(`${date}T00:00Z`).getUTCDay() + 6) % 7));
/** @type {(month: string) => string} */
const monthBefore = (month) => daysAfter(`${month}-01`, -1).slice(0, 7);

/**
 * Return when a date begins in a zone, epoch ms.
 * @type {(date: string, zone: string) => number}
 */
const midnight = (date, zone) => momentOf(`${date}T00:00`, zone);
/** @type {(month: string, zone: string) => number} */
const firstOf = (month, zone) => midnight(`${month}-01`, zone);

/**
 * Return the time of a range.
 * @param {Page.View} view
 * @param {string} zone
 * @param {number} now epoch ms
 * @returns {Page.Window}
 */
function periodOf({ range, month }, zone, now) {
  const today = dateOf(now, zone);
  const day = (/** @type {string} */ date) => midnight(date, zone);
  /** @type {(since: number, earlier: number, name: string) => Page.Window} */
  const soFar = (since, earlier, name) => ({
    since, until: now, before: { since: earlier, until: Math.min(since, earlier + now - since), name: `${name} by this time` } });
  /** @type {(since: number, until: number, earlier: number, name: string) => Page.Window} */
  const whole = (since, until, earlier, name) => ({ since, until, before: { since: earlier, until: since, name } });
  const week = monday(today);
  const thisMonth = today.slice(0, 7);
  switch (range) {
    case "today": return soFar(day(today), day(daysAfter(today, -1)), "yesterday");
    case "yesterday": return whole(day(daysAfter(today, -1)), day(today), day(daysAfter(today, -2)), "the day before");
    case "week": return soFar(day(week), day(daysAfter(week, -7)), "last week");
    case "last_week": return whole(day(daysAfter(week, -7)), day(week), day(daysAfter(week, -14)), "the week before");
    case "this_month": return soFar(firstOf(thisMonth, zone), firstOf(monthBefore(thisMonth), zone), "last month");
    case "last_month": return periodOf({ range: "month", month: monthBefore(thisMonth) }, zone, now);
    case "month": {
      if (!/^\d{4}-\d{2}$/.test(month)) throw new ApiError(400, "Enter a month, such as 2026-10");
      if (month === thisMonth) return periodOf({ range: "this_month" }, zone, now);
      return whole(firstOf(month, zone), firstOf(monthAfter(month), zone), firstOf(monthBefore(month), zone), "the month before");
    }
    default: {
      const span = Number(range) * HOUR;
      return whole(now - span, now, now - 2 * span, "as long a time before");
    }
  }
}

/**
 * Return the time that a view is of; throws ApiError when it does not end after it begins.
 * @param {Page.View} filter its range, month, from, to and tz
 * @param {number} now epoch ms
 * @returns {Page.Window}
 */
export function windowOf(filter, now) {
  const found = filter.range === "custom"
    ? { since: momentOf(filter.from, filter.tz), until: momentOf(filter.to, filter.tz), before: null }
    : periodOf(filter, filter.tz, now);
  if (found.since < found.until) return found;
  throw new ApiError(400, filter.range === "custom" ? "Enter both times, with From before To" : "Enter a month, such as 2026-10");
}

/**
 * Return whether the time of a range ends now, so that new calls fall into it.
 * @param {string} range
 */
export const isLive = (range) => Number(range) > 0 || ["today", "week", "this_month"].includes(range);

/**
 * Return whether the first and the last bar are only parts of their hour, day or month.
 * @param {number[]} times when the bars begin, epoch ms
 * @param {"hour" | "day" | "month"} unit
 * @param {string} zone
 * @param {number} since epoch ms
 * @param {number} until epoch ms
 */
export function partialEnds(times, unit, zone, since, until) {
  if (!times.length) return [false, false];
  const last = times[times.length - 1];
  const date = dateOf(last, zone);
  const end = unit === "hour" ? last + HOUR : unit === "day" ? midnight(daysAfter(date, 1), zone)
    : firstOf(monthAfter(date.slice(0, 7)), zone);
  return [times[0] < since, until < end];
}
