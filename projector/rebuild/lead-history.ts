import type { Decode, Decoded } from "../decode/decode.ts";
import { type Applied, applyDecoded, deadLetterOf } from "../projection/apply.ts";
import { emptyLead, type HeldLead, NOTHING_STORED } from "../projection/held-leads.ts";
import {
  NO_TIMESTAMP,
  type Position,
  partitionName,
  type Source,
  type SourceRecord,
} from "../source/source.ts";
import { readHistory } from "./history.ts";

/** A record that speaks of a lead. */
export interface HistoryRecord {
  readonly record: SourceRecord;
  /** Undefined where it is no event: the record's key alone says whose it was to be. */
  readonly decoded: Decoded | undefined;
  /** Why it is no event. */
  readonly code: string | undefined;
  /**
   * When it occurred: ISO-8601; of an erase, when it was produced. Where nobody said, when the one before it in its
   * partition did; empty where there is none.
   */
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
): Promise<HistoryRecord[]> {
  const records: HistoryRecord[] = [];
  const key = Buffer.from(leadId);
  const latest = new Map<string, string>();
  await readHistory(source, upTo, (record) => {
    // A record of another key is another lead's, or no event.
    if (record.key !== null && !record.key.equals(key)) return;
    const one = tell(record, decode, latest.get(partitionName(record)) ?? "");
    latest.set(partitionName(record), one.time);
    if (one.decoded === undefined ? record.key !== null : one.decoded.leadId === leadId) records.push(one);
  });
  return records;
}

function tell(record: SourceRecord, decode: Decode, before: string): HistoryRecord {
  const produced = record.timestamp === NO_TIMESTAMP ? before : new Date(record.timestamp).toISOString();
  try {
    const decoded = decode(record);
    const time = "erase" in decoded ? produced : (decoded.events[0]?.occurredAt ?? produced);
    return { record, decoded, code: undefined, time };
  } catch (error) {
    return { record, decoded: undefined, code: deadLetterOf(record, undefined, error).code, time: produced };
  }
}

/** What became of a record, and why, where it could not be folded. */
export interface RecordOutcome {
  readonly outcome: Applied | "dead_letter";
  readonly code: string | null;
}

/** What is said where the log has none. */
export const noRecordOf = (leadId: string): string => `the log has no record of lead ${leadId}`;

/** A lead, and what became of each of its records. */
export interface FoldedHistory {
  readonly lead: HeldLead;
  readonly outcomes: readonly RecordOutcome[];
}

/** Folds a lead from its records alone. */
export function foldHistory(leadId: string, records: readonly HistoryRecord[]): FoldedHistory {
  const lead = emptyLead(leadId, true);
  const outcomes = records.map(({ record, decoded, code }): RecordOutcome => {
    if (decoded === undefined) return { outcome: "dead_letter", code: code ?? null };
    try {
      return { outcome: applyDecoded(NOTHING_STORED, lead, decoded), code: null };
    } catch (error) {
      return { outcome: "dead_letter", code: deadLetterOf(record, decoded, error).code };
    }
  });
  return { lead, outcomes };
}
