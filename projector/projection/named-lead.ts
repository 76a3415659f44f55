import { isObject } from "../../shared/events/exact-json.ts";
import type { SourceRecord } from "../source/source.ts";

/** Where the envelope and the webhook bodies name their lead. */
const BODIES = ["data", "document", "actionLog"] as const;
const LONGEST_ID = 200;

/**
 * The lead that a record speaks of though it is no event, so that an erase finds its dead letter too; null where it
 * names none. What it says beside its key counts first: the key is looked for by itself.
 */
export function namedLead({ value }: SourceRecord): string | null {
  if (value === null) return null;
  let parsed: unknown;
  try {
    parsed = JSON.parse(value.toString("utf8"));
  } catch {
    return null;
  }
  if (!isObject(parsed)) return null;
  const named = [
    parsed.leadId,
    ...BODIES.map((name) => (isObject(parsed[name]) ? parsed[name].leadId : null)),
  ];
  return named.find((id): id is string => typeof id === "string" && id.length <= LONGEST_ID) ?? null;
}
