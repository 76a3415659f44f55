// How values are written. Everything that comes from records goes into the page as text, never as markup.

const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const ESCAPE = (text) =>
  Array.from(
    { length: text.length },
    (_, at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, "0")}`,
  ).join("");

/** A text of the data without anything that is not seen, or that turns the text around: written as JSON's escape. */
export const visible = (text) => String(text).replace(UNSEEN, ESCAPE);

/** The same for a text of several lines. */
export const visibleLines = (text) =>
  String(text).replace(UNSEEN, (one) => (one === "\n" ? one : ESCAPE(one)));

/** Numbers that JavaScript would write otherwise stay as they came. */
const keepDigits = (_name, value, { source }) =>
  typeof value === "number" && JSON.stringify(value) !== source ? JSON.rawJSON(source) : value;

export const parse = (json) => JSON.parse(json, keepDigits);

/** A value as JSON to be read. */
export const pretty = (value) => JSON.stringify(value, null, 2);

export const number = (value) => Math.round(value).toLocaleString("en");

const BYTES = ["B", "kB", "MB", "GB", "TB"];
/** In the unit that gives one to three digits before the point. */
export function size(bytes) {
  const step = bytes < 1 ? 0 : Math.min(BYTES.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1_000 ** step;
  return `${step > 0 && value < 100 ? value.toFixed(1) : Math.round(value)} ${BYTES[step]}`;
}

const UNITS = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
  [1, "s"],
];
/** A time span in the unit that fits. */
export function span(seconds) {
  if (seconds > 0 && seconds < 1) return milliseconds(seconds * 1_000);
  const [unit, name] = UNITS.find(([unit]) => seconds >= unit * (unit > 60 ? 1.5 : 2)) ?? [1, "s"];
  return `${number(seconds / unit)} ${name}`;
}

export const milliseconds = (value) =>
  value >= 10
    ? `${Math.round(value)} ms`
    : value >= 0.1
      ? `${value.toFixed(1)} ms`
      : `${Math.round(value * 1_000)} µs`;

/** @param at milliseconds since 1970, or ISO-8601 */
export const time = (at) =>
  new Date(at)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, "Z");
