import type { Decode, Decoded } from "../decode/decode.ts";
import { applyDecoded, deadLetterOf } from "../projection/apply.ts";
import { emptyLead, type PendingLead } from "../projection/pending-leads.ts";
import type { Position, Source, SourceRecord } from "../source/source.ts";
import { readHistory } from "./history.ts";

/** A record that speaks of a lead. */
export interface Told {
  readonly record: SourceRecord;
  /** Undefined where it is no event: the record's key alone says whose it was to be. */
  readonly decoded: Decoded | undefined;
  /** Why it is no event. */
  readonly code: string | undefined;
  /** When it occurred: ISO-8601; of an erase, when it was produced. */
  readonly time: string;
}

/**
 * Reads every record that speaks of one lead, in order per partition.
 * @param upTo the positions that the history is read up to
 * @throws SourceError where the log ends before them, or lost records
 */
export async function leadHistory(
  source: Source,
  decode: Decode,
  upTo: readonly Position[],
  leadId: string,
): Promise<Told[]> {
  const told: Told[] = [];
  const key = Buffer.from(leadId);
  await readHistory(source, upTo, (record) => {
    // A record of another key is another lead's, or no event.
    if (record.key !== null && !record.key.equals(key)) return;
    const one = tell(record, decode);
    if (one.decoded === undefined ? record.key !== null : one.decoded.leadId === leadId) told.push(one);
  });
  return told;
}

function tell(record: SourceRecord, decode: Decode): Told {
  const produced = new Date(record.timestamp).toISOString();
  try {
    const decoded = decode(record);
    const time = "erase" in decoded ? produced : (decoded.events[0]?.occurredAt ?? produced);
    return { record, decoded, code: undefined, time };
  } catch (error) {
    return { record, decoded: undefined, code: deadLetterOf(record, undefined, error).code, time: produced };
  }
}

/** A lead, and what became of each of its records: undefined where it was folded, else why not. */
export interface FoldedHistory {
  readonly lead: PendingLead;
  readonly codes: readonly (string | undefined)[];
}

/** Folds a lead from its records alone. */
export function foldHistory(leadId: string, told: readonly Told[]): FoldedHistory {
  const lead: PendingLead = { ...emptyLead(leadId), replaces: true };
  const codes = told.map(({ record, decoded, code }) => {
    if (decoded === undefined) return code;
    try {
      applyDecoded(lead, decoded, () => undefined);
      return undefined;
    } catch (error) {
      return deadLetterOf(record, decoded, error).code;
    }
  });
  return { lead, codes };
}
