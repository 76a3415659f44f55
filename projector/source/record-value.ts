import { parseExactly } from "../../shared/events/exact-json.ts";

/** What a record says, to be shown: its value's JSON, or its text where it is none; null for a tombstone. */
export function recordValue(value: Buffer | null): unknown {
  const text = value?.toString("utf8") ?? "null";
  try {
    return parseExactly(text);
  } catch {
    return text;
  }
}
