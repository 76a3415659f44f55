import type { Headers, HeaderValue } from "./source.ts";

type One = string | Buffer | null;
type JsonHeader = string | null | { readonly base64: string };

/**
 * The header's name as the record has it, be it without a value: some producers write names as HTTP does.
 * @param name in lower case
 */
export function givenName(headers: Headers, name: string): string | undefined {
  if (Object.hasOwn(headers, name)) return name;
  for (const given in headers) {
    if (given.length === name.length && given.toLowerCase() === name) return given;
  }
  return undefined;
}

/** A header's text; its last value where it is given several times. Undefined where it has none. */
export function headerText(headers: Headers, name: string): string | undefined {
  const given = givenName(headers, name);
  if (given === undefined) return undefined;
  const value = headers[given] as HeaderValue;
  return ((Array.isArray(value) ? value.at(-1) : value) as One | undefined)?.toString();
}

/**
 * Headers as JSON, byte for byte: text as it is, other bytes as `{"base64": …}`, null as null, several values as a
 * list.
 */
export const headersToJson = (headers: Headers): Record<string, JsonHeader | JsonHeader[]> =>
  // Own properties, whatever they are called: `__proto__` is a name like any other.
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.map(toJson) : toJson(value as One),
    ]),
  );

function toJson(value: One): JsonHeader {
  if (typeof value === "string" || value === null) return value;
  const text = value.toString("utf8");
  return Buffer.from(text).equals(value) ? text : { base64: value.toString("base64") };
}

/** The inverse; undefined where the JSON is not what `headersToJson` writes. */
export function headersFromJson(json: unknown): Headers | undefined {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
  const headers: [string, HeaderValue][] = [];
  for (const [name, value] of Object.entries(json)) {
    const parsed = Array.isArray(value) ? value.map(fromJson) : fromJson(value);
    if (parsed === undefined || (Array.isArray(parsed) && parsed.includes(undefined))) return undefined;
    if (!name.isWellFormed()) return undefined;
    headers.push([name, parsed as HeaderValue]);
  }
  return Object.fromEntries(headers);
}

/** What has no UTF-8, a lone surrogate, could not be kept byte for byte. */
function fromJson(value: unknown): One | undefined {
  if (value === null) return null;
  if (typeof value === "string") return value.isWellFormed() ? value : undefined;
  const base64 = (value as { base64?: unknown } | null)?.base64;
  return typeof base64 === "string" ? Buffer.from(base64, "base64") : undefined;
}
