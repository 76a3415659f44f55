import { isObject } from "../../shared/events/exact-json.ts";
import { headerText } from "../source/headers.ts";
import type { SourceRecord } from "../source/source.ts";

/** Where the envelope and the webhook bodies name their lead. */
const BODIES = ["data", "document", "actionLog"] as const;
const LONGEST_ID = 200;

/**
 * The lead that a record speaks of though it is no event, so that an erase finds its dead letter too; null where it
 * names none. What it says beside its key counts first: the key is looked for by itself.
 */
export function namedLead({ headers, value }: SourceRecord): string | null {
  return idOf(headerText(headers, "ce_subject")) ?? namedByValue(value);
}

function namedByValue(value: Buffer | null): string | null {
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
    // A CloudEvent in structured mode.
    parsed.specversion === undefined ? null : parsed.subject,
    ...BODIES.map((name) => (isObject(parsed[name]) ? parsed[name].leadId : null)),
  ];
  return named.map(idOf).find((id) => id !== null) ?? null;
}

const idOf = (named: unknown): string | null =>
  typeof named === "string" && named.length <= LONGEST_ID ? named : null;
