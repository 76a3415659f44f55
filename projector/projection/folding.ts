import { monotonic } from "../../shared/clock.ts";
import type { Decode, Decoded } from "../decode/decode.ts";
import { type Position, partitionName, type SourceRecord } from "../source/source.ts";
import type { DeadLetter } from "../store/dead-letters.ts";
import { isDatabaseError } from "../store/trouble.ts";
import { passingOn, type Step, type Tracing } from "../trace/tracing.ts";
import { applyDecoded, deadLetterOf } from "./apply.ts";
import { finishLead } from "./finish-lead.ts";
import type { FoldedBatch, Folding } from "./folded-batch.ts";
import { type HeldLead, type LeadReader, loadLead } from "./held-leads.ts";
import { letGo } from "./recent-logs.ts";
import { createTally } from "./tally.ts";

export interface FoldingOptions {
  /** The stored positions. */
  readonly positions: readonly Position[];
  readonly tracing?: Tracing;
  /** Bytes of leads that are kept in memory beyond those that a batch needs. */
  readonly mostBytes?: number;
}

/** Bytes of leads that stay in memory; leads of 25 events take about 100 KB each. */
export const HELD_BYTES = 64 * 1024 ** 2;
/** A batch's records beyond these are not steps of their traces; their changes still carry them. */
const MOST_STEPS = 10_000;

interface Taken {
  readonly leads: readonly HeldLead[];
  readonly steps: readonly TakenStep[];
}

interface TakenStep {
  readonly step: Step;
  readonly error: string | undefined;
}

/**
 * Makes a folding half: decodes records, folds them into leads that it keeps in memory, and finishes what they change.
 * @param reader reads what is not in memory
 */
export function createFolding(
  reader: LeadReader,
  decode: Decode,
  { positions, tracing = passingOn, mostBytes = HELD_BYTES }: FoldingOptions,
): Folding {
  const current = new Map<string, Position>(positions.map((position) => [partitionName(position), position]));
  /** Those used least lately stand first. */
  const leads = new Map<string, HeldLead>();
  let heldBytes = 0;
  const taken: Taken[] = [];
  const nameOf = createNames();
  let waiting = nothingWaits();

  const leadOf = (leadId: string): HeldLead => {
    const known = leads.get(leadId);
    if (known) return known;
    const lead = loadLead(reader, leadId);
    leads.set(leadId, lead);
    heldBytes += lead.bytes;
    return lead;
  };

  const noteChange = (lead: HeldLead) => {
    if (lead.changed) return;
    lead.changed = true;
    waiting.leads.push(lead);
    leads.delete(lead.leadId);
    leads.set(lead.leadId, lead);
  };

  const drop = (lead: HeldLead) => {
    leads.delete(lead.leadId);
    heldBytes -= lead.bytes;
  };

  /** Lets go of the leads that were not used lately, where all take too much. */
  const makeRoom = () => {
    for (const lead of leads.values()) {
      if (heldBytes <= mostBytes) return;
      if (!lead.changed && lead.unsettled === 0) drop(lead);
    }
  };

  return {
    positions: () => [...current.values()],
    fold(record) {
      const name = nameOf(record);
      if (record.offset < (current.get(name)?.nextOffset ?? 0)) return;
      const step = (waiting.steps.length < MOST_STEPS ? tracing : passingOn).process(record);
      let decoded: Decoded | undefined;
      let error: string | undefined;
      try {
        decoded = decode(record);
        const lead = leadOf(decoded.leadId);
        const outcome = applyDecoded(reader, lead, decoded, record);
        noteChange(lead);
        if (outcome === "folded") lead.traceparent = step?.traceparent ?? null;
        waiting.tally.add(decoded, outcome);
      } catch (cause) {
        if (isDatabaseError(cause)) {
          step?.end("database");
          throw cause;
        }
        const letter = deadLetterOf(record, decoded, cause);
        error = letter.code;
        waiting.deadLetters.push(letter);
        waiting.tally.add(decoded, "dead_letter");
      }
      if (step) waiting.steps.push({ step, error });
      waiting.timestamps.push(record.timestamp);
      noteSpan(waiting.spans, name, record);
      waiting.bytes += sizeOf(record);
    },
    advance(positions) {
      for (const position of positions) {
        const name = partitionName(position);
        if (position.nextOffset < (current.get(name)?.nextOffset ?? 0)) continue;
        current.set(name, position);
        waiting.moved.add(name);
      }
    },
    pending: () => ({ records: waiting.timestamps.length, bytes: waiting.bytes }),
    span: () => [...waiting.spans].map(([name, { first, last }]) => `${name}/${first} to ${last}`).join(", "),
    take() {
      const start = monotonic();
      const { leads: changed, finished, deadLetters, moved, tally, timestamps, steps } = waiting;
      // Where a lead can't be finished now, those that are stay so for the next call.
      for (const lead of changed.slice(finished.length)) {
        const before = lead.bytes;
        finished.push(finishLead(lead));
        heldBytes += lead.bytes - before;
      }
      for (const lead of changed) lead.unsettled++;
      const batch: FoldedBatch = {
        leads: finished,
        deadLetters,
        positions: [...moved].map((name) => current.get(name) as Position),
        counts: {
          records: timestamps.length,
          outcomes: tally.outcomes(),
          timestamps,
          views: finished.reduce((sum, { view }) => sum + (view ? 1 : 0), 0),
          milliseconds: monotonic() - start,
        },
      };
      taken.push({ leads: changed, steps });
      waiting = nothingWaits();
      return batch;
    },
    settled() {
      const oldest = taken.shift();
      if (!oldest) return;
      for (const lead of oldest.leads) {
        lead.unsettled--;
        if (lead.unsettled === 0) for (const { logs } of lead.parts.values()) letGo(logs);
      }
      for (const { step, error } of oldest.steps) step.end(error);
      makeRoom();
    },
    forget(leadIds) {
      for (const leadId of leadIds) {
        const lead = leads.get(leadId);
        if (lead) drop(lead);
      }
    },
  };
}

/** Records come in runs of one partition: its name is made once a run. */
function createNames(): (record: SourceRecord) => string {
  let [topic, partition, name] = ["", -1, ""];
  return (record) => {
    if (record.partition !== partition || record.topic !== topic) {
      ({ topic, partition } = record);
      name = partitionName(record);
    }
    return name;
  };
}

const nothingWaits = () => ({
  leads: [] as HeldLead[],
  /** Of the leads, those that a call of `take` finished that did not come to its end. */
  finished: [] as ReturnType<typeof finishLead>[],
  deadLetters: [] as DeadLetter[],
  moved: new Set<string>(),
  tally: createTally(),
  timestamps: [] as number[],
  spans: new Map<string, { readonly first: number; last: number }>(),
  steps: [] as TakenStep[],
  bytes: 0,
});

function noteSpan(
  spans: Map<string, { readonly first: number; last: number }>,
  name: string,
  { offset }: SourceRecord,
): void {
  const span = spans.get(name);
  if (span) span.last = offset;
  else spans.set(name, { first: offset, last: offset });
}

/** About the bytes that the record keeps in memory until the commit; a file's value is not read for it. */
const sizeOf = (record: SourceRecord): number =>
  (record.json ? record.json.text.length : (record.value?.length ?? 0)) + 200;
