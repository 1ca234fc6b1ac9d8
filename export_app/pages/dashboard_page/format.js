// Numbers, money and moments as people read them. Money comes in micros, moments in epoch ms.

const whole = new Intl.NumberFormat();

/** The API's messages are parts of a sentence; here they stand alone. */
export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** 12,345 */
export const count = (value) => whole.format(value);

/** 0.4567 as 45.7 %; what could not be divided as a dash. */
export const percent = (value) =>
  value === null ? "–" : new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 }).format(value);

/** 75 s as 1:15, 3700 s as 1:01:40. */
export function duration(seconds) {
  if (seconds === null) return "–";
  const all = Math.round(seconds);
  const two = (value) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(all / 3600), Math.floor((all % 3600) / 60)];
  return hours ? `${hours}:${two(minutes)}:${two(all % 60)}` : `${minutes}:${two(all % 60)}`;
}

/** An amount with its currency; digits: at least 2, at most `digits`. */
export function money(micros, currency, digits = 2) {
  const shape = { minimumFractionDigits: 2, maximumFractionDigits: digits };
  if (currency) Object.assign(shape, { style: "currency", currency });
  return new Intl.NumberFormat(undefined, shape).format(micros / 1e6);
}

const shapes = {
  moment: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
  hour: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  second: { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
  clock: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  day: { weekday: "short", day: "numeric", month: "short" },
  date: { day: "numeric", month: "short" },
};

/** A moment in a time zone; shape: moment, hour, second, clock, day or date. */
export const at = (ms, zone, shape = "moment") =>
  new Intl.DateTimeFormat(undefined, { ...shapes[shape], timeZone: zone }).format(ms);

function offset(ms, zone) {
  const shape = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric",
    second: "numeric", hourCycle: "h23", timeZone: zone };
  const parts = new Intl.DateTimeFormat("en-US", shape).formatToParts(ms);
  const { year, month, day, hour, minute, second } = Object.fromEntries(parts.map((one) => [one.type, +one.value]));
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / 1000) * 1000;
}

/** The moment at which the clock of a zone shows `2026-03-29T08:00`; NaN for no such text. */
export function momentOf(local, zone) {
  const shown = Date.parse(`${local}Z`);
  if (Number.isNaN(shown)) return NaN;
  return shown - offset(shown - offset(shown, zone), zone);
}

/** What the clock of a zone shows at a moment, as an input of type datetime-local takes it. */
export const localOf = (ms, zone) => new Date(ms + offset(ms, zone)).toISOString().slice(0, 16);
