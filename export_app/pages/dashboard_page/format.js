// Numbers, money and times for people. Money is in micros, times are epoch ms.

const whole = new Intl.NumberFormat();

/**
 * Capitalize a message of the API, which is written as part of a sentence.
 * @param {string} text
 */
export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/**
 * Format a number as 12,345.
 * @param {number} value
 */
export const count = (value) => whole.format(value);

/**
 * Format 0.4567 as 45.7%, and null as a dash.
 * @param {number | null | undefined} value
 */
export const percent = (value) =>
  typeof value !== "number" ? "–" : new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 }).format(value);

/**
 * Format 75 s as 1:15, 3700 s as 1:01:40, and null as a dash.
 * @param {number | null | undefined} seconds
 */
export function duration(seconds) {
  if (typeof seconds !== "number") return "–";
  const all = Math.round(seconds);
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(all / 3600), Math.floor((all % 3600) / 60)];
  return hours ? `${hours}:${two(minutes)}:${two(all % 60)}` : `${minutes}:${two(all % 60)}`;
}

/**
 * Format milliseconds as 1.2 s, and from a minute on as 1:15.
 * @param {number} ms
 */
export const seconds = (ms) => (ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : duration(ms / 1000));

/**
 * Format an amount with its currency, or without one where none is known.
 * @param {number} micros millionths of the currency
 * @param {string | null} currency ISO 4217
 * @param {number} digits at most so many decimals
 * @param {number} least at least so many
 */
export function money(micros, currency, digits = 2, least = 2) {
  /** @type {Intl.NumberFormatOptions} */
  const shape = { minimumFractionDigits: least, maximumFractionDigits: digits };
  if (currency) Object.assign(shape, { style: "currency", currency });
  return new Intl.NumberFormat(undefined, shape).format(micros / 1e6);
}

/** @type {Record<string, Intl.DateTimeFormatOptions>} */
const shapes = {
  moment: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
  hour: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  second: { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
  clock: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  day: { weekday: "short", day: "numeric", month: "short" },
  date: { day: "numeric", month: "short" },
  month: { month: "long", year: "numeric" },
  months: { month: "short" },
};

/**
 * Format a time in a time zone.
 * @param {number} ms epoch ms
 * @param {string} zone such as Europe/Berlin
 * @param {string} shape moment, hour, second, clock, day, date, month or months
 */
export const at = (ms, zone, shape = "moment") =>
  new Intl.DateTimeFormat(undefined, { ...shapes[shape], timeZone: zone }).format(ms);

/**
 * @param {number} ms epoch ms
 * @param {string} zone
 */
function offset(ms, zone) {
  /** @type {Intl.DateTimeFormatOptions} */
  const shape = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric",
    second: "numeric", hourCycle: "h23", timeZone: zone };
  const parts = new Intl.DateTimeFormat("en-US", shape).formatToParts(ms);
  const { year, month, day, hour, minute, second } = Object.fromEntries(parts.map(({ type, value }) => [type, +value]));
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / 1000) * 1000;
}

/**
 * Return when the clocks of a zone show a time, epoch ms; NaN when it is not one.
 * @param {string} local such as 2026-03-29T08:00
 * @param {string} zone
 */
export function momentOf(local, zone) {
  const shown = Date.parse(`${local}Z`);
  if (Number.isNaN(shown)) return NaN;
  return shown - offset(shown - offset(shown, zone), zone);
}

/**
 * Return the month after one that is written as 2026-10; an invalid one stays.
 * @param {string} month
 */
export const monthAfter = (month) =>
  month.replace(/^(\d{4})-(\d{2})$/, (_, year, of) => new Date(Date.UTC(Number(year), Number(of), 1)).toISOString().slice(0, 7));

/**
 * Return what the clocks of a zone show at a time, as the value of a datetime-local input.
 * @param {number} ms epoch ms
 * @param {string} zone
 */
export const localOf = (ms, zone) => new Date(ms + offset(ms, zone)).toISOString().slice(0, 16);
