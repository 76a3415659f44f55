import { monotonic } from "../../shared/clock.ts";
import { parseExactly } from "../../shared/events/exact-json.ts";
import { recordValue } from "../source/record-value.ts";
import { createLeadFold, type HistoryRecord, type RecordOutcome } from "./lead-history.ts";
import { type ViewChange, viewChanges } from "./view-changes.ts";

/** What one record of a lead did to its view. */
export interface LeadStep extends RecordOutcome {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** ISO-8601; empty where nobody said. */
  readonly time: string;
  /** The record's JSON, or its text where it is none; null for a tombstone. */
  readonly value: unknown;
  readonly changes: readonly ViewChange[];
  /** Changes beyond those that are told. */
  readonly more: number;
  /** Milliseconds that it took to fold it now, and to assemble the view after it. */
  readonly foldMs: number;
  readonly assembleMs: number;
}

/** Some of a lead's steps. */
export interface LeadSteps {
  readonly steps: readonly LeadStep[];
  /** Records of the lead. */
  readonly total: number;
}

const MOST_CHANGES = 100;

/**
 * Folds a lead record by record, and tells what each of some records changed.
 * @param records in the order in which they are to be folded
 * @param from the first record that is told of, counted from 0
 */
export function leadSteps(
  leadId: string,
  records: readonly HistoryRecord[],
  from: number,
  most: number,
): LeadSteps {
  const fold = createLeadFold(leadId);
  for (const record of records.slice(0, from)) fold.apply(record);
  let before = parsed(fold.view());
  const steps = records.slice(from, from + most).map((one): LeadStep => {
    const start = monotonic();
    const result = fold.apply(one);
    const folded = monotonic();
    const view = fold.view();
    const assembled = monotonic();
    const after = parsed(view);
    const changes = viewChanges(before, after);
    before = after;
    const { topic, partition, offset, value } = one.record;
    return {
      topic,
      partition,
      offset,
      time: one.time,
      value: recordValue(value),
      ...result,
      changes: changes.slice(0, MOST_CHANGES),
      more: Math.max(0, changes.length - MOST_CHANGES),
      foldMs: folded - start,
      assembleMs: view === null ? 0 : assembled - folded,
    };
  });
  return { steps, total: records.length };
}

const parsed = (view: string | null): unknown => (view === null ? null : parseExactly(view));
