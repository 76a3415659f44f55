import { assembleView } from "../assemble/assemble.ts";
import type { Decode, Decoded } from "../decode/decode.ts";
import { type Applied, applyDecoded, deadLetterOf } from "../projection/apply.ts";
import { emptyLead, NOTHING_STORED } from "../projection/held-leads.ts";
import { logReader } from "../projection/recent-logs.ts";
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

/** A lead that is folded from its records alone, one after the other. */
export interface LeadFold {
  /** Folds its next record. */
  apply(next: HistoryRecord): RecordOutcome;
  /**
   * The view as it is now, as JSON: its matchingLeads, which depend on other leads, are empty.
   * @returns null where there is none: the lead is not created yet, or is erased
   */
  view(): string | null;
}

/** Begins to fold a lead. */
export function createLeadFold(leadId: string): LeadFold {
  const lead = emptyLead(leadId, true);
  return {
    apply({ record, decoded, code }) {
      if (decoded === undefined) return { outcome: "dead_letter", code: code ?? null };
      try {
        return { outcome: applyDecoded(NOTHING_STORED, lead, decoded, record), code: null };
      } catch (error) {
        return { outcome: "dead_letter", code: deadLetterOf(record, decoded, error).code };
      }
    },
    view() {
      const held = lead.owner === null || lead.erased !== false ? undefined : lead.parts.get(lead.owner);
      if (!held) return null;
      return assembleView(held.part, logReader(held.logs, held.older)).body.toString("utf8");
    },
  };
}

/**
 * A lead's records in one order that keeps each partition's own: by their times, where a record's time is taken for no
 * earlier than that of the one before it in its partition. The final state is the same in any such order (rule: one
 * topic owns an entity).
 */
export function inOrder(records: readonly HistoryRecord[]): HistoryRecord[] {
  const latest = new Map<string, string>();
  const placed = records.map((one) => {
    const name = partitionName(one.record);
    const before = latest.get(name) ?? "";
    const at = [before, one.time].sort().at(-1) as string;
    latest.set(name, at);
    return { one, at };
  });
  // Stable: what is of one time in one partition stays in its order.
  return placed.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)).map(({ one }) => one);
}
