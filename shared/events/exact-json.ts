/**
 * JSON as events carry it (rule: digits). What passes through comes out as it came in; where a double, or
 * JSON.stringify, would write a number or a lone surrogate otherwise, its source text is kept in its place, as
 * JSON.rawJSON makes it: a frozen object that JSON.stringify writes as it is.
 */

/** A number, or a text with a lone surrogate, by its source text. */
interface RawJson {
  readonly rawJSON: string;
}

declare global {
  interface JSON {
    rawJSON(text: string): RawJson;
    isRawJSON(value: unknown): value is RawJson;
    parse(
      text: string,
      reviver: (
        this: unknown,
        name: string,
        value: unknown,
        context: { readonly source?: string },
      ) => unknown,
      // biome-ignore lint/suspicious/noExplicitAny: as the language's own declaration has it.
    ): any;
  }
}

export const isRaw = (value: unknown): value is RawJson => JSON.isRawJSON(value);

/** True for a JSON object; false for a list, null, and what stands for a number or a text by its source. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);

/**
 * Where a JSON text may have a number that JavaScript would write otherwise: -0, 16 digits or more, a fraction that
 * ends in 0 or is below a millionth, an exponent. Digits inside of a text can look like one; that costs a second parse.
 */
const UNUSUAL_NUMBER =
  /(?:"\s*:|[,[])\s*(?:-0(?![.\d])|-?(?:\d{16}|[\d.]{17}|0\.000000|\d+(?:\.\d+)?[eE]|\d+\.\d*0(?!\d)))/;
const UPPER_CASE_SURROGATE = /\\u(?=[0-9a-f]{0,3}[A-F])[dD][89a-fA-F][0-9a-fA-F]{2}/;

/** True where the text of an object or a list may have a number that a parse does not keep as it is written. */
export const hasUnusualNumber = (text: string): boolean => UNUSUAL_NUMBER.test(text);

/** Parses JSON and keeps the source text of each number and each lone surrogate that would come out otherwise. */
export const parseExactly = (text: string): unknown =>
  JSON.parse(text, (_name, value, { source }) => {
    if (typeof value === "number")
      return JSON.stringify(value) === source ? value : JSON.rawJSON(source as string);
    if (typeof value === "string" && !value.isWellFormed() && UPPER_CASE_SURROGATE.test(source as string))
      return JSON.rawJSON(source as string);
    return value;
  });

/** The same, quickly where nothing needs to be kept: as nearly always. Of an object or a list. */
export function parseJson(text: string): unknown {
  const unusual =
    (NUMBER.test(text) && hasUnusualNumber(text)) || text.includes("\\ud") || text.includes("\\uD");
  return unusual ? parseExactly(text) : JSON.parse(text);
}

/** Where a JSON text may have a number: most have none, and this is quickly seen. */
const NUMBER = /(?:"\s*:|[,[])\s*-?\d/;

/** A value as JavaScript's own, for what reads a text or a number rather than passes it on. */
export const plain = (value: unknown): unknown => (isRaw(value) ? JSON.parse(value.rawJSON) : value);

/**
 * A copy to be held to a schema, which knows only JavaScript's own values. A number that a double can't hold is a
 * number there, but no whole one: where a field is counted with, it is refused.
 */
export function checkable(value: unknown): unknown {
  if (isRaw(value)) return fitsDouble(value) ? plain(value) : 0.5;
  if (Array.isArray(value)) return value.map(checkable);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, checkable(member)]));
}

/** False for a number that a double can only come near to. */
export function fitsDouble(value: RawJson): boolean {
  const own = plain(value);
  if (typeof own !== "number") return true;
  return Number.isFinite(own) && decimal(value.rawJSON) === decimal(String(own));
}

/** A number's text in one form: its significant digits and the exponent of the last one. */
function decimal(text: string): string {
  const [, sign, whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(text) as unknown as string[];
  const digits = `${whole}${fraction}`.replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  if (significant === "") return "0";
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`;
}
