// Numbers, spans and times in the reader's language.

const SMALLEST_CHANGE = 0.005; // a smaller one is shown as 0 %

let locale = "en";
export const useLocale = (name) => { locale = name; };

const numbers = new Map();
function formatted(value, options) {
  const key = locale + JSON.stringify(options);
  if (!numbers.has(key)) numbers.set(key, new Intl.NumberFormat(locale, options));
  return numbers.get(key).format(value);
}

/** 1234 -> "1,234"; nothing known -> "–". */
export const count = (n) => (n === null || n === undefined ? "–" : formatted(n, { maximumFractionDigits: 0 }));

/** A share of two counts: one digit behind the point below a tenth. */
export function share(part, whole) {
  if (!whole) return "–";
  const of = part / whole;
  return formatted(of, { style: "percent", maximumFractionDigits: of > 0 && of < 0.1 ? 1 : 0 });
}

/** How much more than before, 0.02 being "▲ +2 %": its text, and "up", "down", or null where the text says 0. */
export function change(of) {
  const text = formatted(of, { style: "percent", maximumFractionDigits: 0, signDisplay: "exceptZero" });
  if (Math.abs(of) < SMALLEST_CHANGE) return { text, direction: null };
  return of < 0 ? { text: `▼ ${text}`, direction: "down" } : { text: `▲ ${text}`, direction: "up" };
}

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

/** A span in its greatest unit: "47 sec", "2.3 days". */
export function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const [unit, size] = UNITS.find(([, s]) => seconds >= s) ?? UNITS.at(-1);
  const value = seconds / size;
  const digits = value < 10 && size > 60 ? 1 : 0;
  return formatted(value, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: digits });
}

/** Minor units of a currency as money. */
export function money(minor, currency, digits) {
  const value = Number(minor) / 10 ** digits;
  try {
    return formatted(value, { style: "currency", currency, maximumFractionDigits: Math.abs(value) >= 1000 ? 0 : digits });
  } catch {
    return `${count(value)} ${currency}`; // three letters that no currency has
  }
}

const times = new Map();
function timed(at, zone, options) {
  const key = locale + zone + JSON.stringify(options);
  if (!times.has(key)) times.set(key, new Intl.DateTimeFormat(locale, { timeZone: zone, ...options }));
  return times.get(key).format(new Date(at));
}

export const clock = (at, zone) => timed(at, zone, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const DAY_MS = 86400000;
/** A time of today as its clock, of another day with its date; with the zone. */
export const whenOf = (at, zone) => `${Date.now() - new Date(at) > DAY_MS ? `${dateOf(at, zone)} ` : ""}${clock(at, zone)} ${zone}`;
export const hourOf = (at, zone) => timed(at, zone, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
export const dayOf = (at, zone) => timed(at, zone, { weekday: "short", day: "numeric" });
export const dateOf = (at, zone) => timed(at, zone, { day: "numeric", month: "short", year: "numeric" });

/** Names of the days of a week, from Monday. */
export const weekdays = () => [...Array(7).keys()].map((n) => timed(Date.UTC(2024, 0, 1 + n), "UTC", { weekday: "short" }));
