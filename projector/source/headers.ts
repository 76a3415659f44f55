import type { Headers, HeaderValue } from "./source.ts";

type JsonHeader = string | { readonly base64: string };

/** Headers as JSON, byte for byte: text as it is, other bytes as `{"base64": …}`, several values as a list. */
export function headersToJson(headers: Headers): Record<string, JsonHeader | JsonHeader[]> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.map(toJson) : toJson(value as string),
    ]),
  );
}

function toJson(value: string | Buffer): JsonHeader {
  if (typeof value === "string") return value;
  const text = value.toString("utf8");
  return Buffer.from(text).equals(value) ? text : { base64: value.toString("base64") };
}

/** The inverse; undefined where the JSON is not what `headersToJson` writes. */
export function headersFromJson(json: unknown): Headers | undefined {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
  const headers: Record<string, HeaderValue> = {};
  for (const [name, value] of Object.entries(json)) {
    const parsed = Array.isArray(value) ? value.map(fromJson) : fromJson(value);
    if (parsed === undefined || (Array.isArray(parsed) && parsed.includes(undefined))) return undefined;
    headers[name] = parsed as HeaderValue;
  }
  return headers;
}

function fromJson(value: unknown): string | Buffer | undefined {
  if (typeof value === "string") return value;
  const base64 = (value as { base64?: unknown } | null)?.base64;
  return typeof base64 === "string" ? Buffer.from(base64, "base64") : undefined;
}
