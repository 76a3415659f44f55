import { monotonic, wallClock } from "../../shared/clock.ts";
import { parseJson } from "../../shared/events/exact-json.ts";
import type { Decode, Decoded } from "../decode/decode.ts";
import type { ActionLog } from "../fold/action-log.ts";
import { type Position, partitionName, type SourceRecord } from "../source/source.ts";
import type { DeadLetter } from "../store/dead-letters.ts";
import type { Store } from "../store/store.ts";
import { passingOn, type Step, type Tracing } from "../trace/tracing.ts";
import { applyDecoded, deadLetterOf } from "./apply.ts";
import { type Assembly, commitPending } from "./commit.ts";
import { loadLead, type PendingLead } from "./pending-leads.ts";
import { createTally, type Outcome } from "./tally.ts";
import { isDatabaseError } from "./trouble.ts";

/** What one commit made durable. */
export interface Committed {
  readonly records: number;
  readonly deadLetters: readonly DeadLetter[];
  /** Records that came for erased leads. */
  readonly dropped: number;
  /** Leads that were erased. */
  readonly erased: readonly string[];
  readonly assembly: Assembly;
  /** Milliseconds of the whole commit. */
  readonly milliseconds: number;
  readonly outcomes: readonly Outcome[];
  /** When its records were produced, in milliseconds since 1970. */
  readonly timestamps: readonly number[];
}

/** Folds records into memory, and commits them with their positions in one transaction. */
export interface Projection {
  /** Where to go on: the stored positions, and those noted since. */
  positions(): readonly Position[];
  /**
   * Folds one record; one below its partition's position was folded before and is passed over. One that is no event,
   * or contradicts the state, becomes a dead letter of the next commit.
   * @throws SqliteError where the database can't be read; nothing of the record is folded then, so call again
   */
  fold(record: SourceRecord): void;
  /** Notes the positions after what was folded, for the next commit. */
  advance(positions: readonly Position[]): void;
  /** What waits for the next commit. */
  pending(): { readonly records: number; readonly bytes: number };
  /** The span of what waits, for whoever has to say where a commit failed: each partition's first and last offset. */
  span(): string;
  /**
   * Commits all that was folded, and the positions that were noted.
   * @throws SqliteError where the database can't be written; nothing is committed then, so call again
   */
  commit(): Committed;
}

export interface ProjectionOptions {
  readonly now?: () => Date;
  /** False in a bulk load, which assembles every view once at its end. */
  readonly assemble?: boolean;
  readonly tracing?: Tracing;
  /** The generations that are kept beside this one. */
  readonly keptGenerations?: () => readonly number[];
}

/** A commit's records beyond these are not steps of their traces; their changes still carry them. */
const MOST_STEPS = 10_000;

export function createProjection(
  store: Store,
  decode: Decode,
  {
    now = () => new Date(wallClock()),
    assemble = true,
    tracing = passingOn,
    keptGenerations = () => [],
  }: ProjectionOptions = {},
): Projection {
  const stored = store.positions.all();
  const current = new Map<string, Position>(stored.map((position) => [partitionName(position), position]));
  let moved = new Set<string>();
  let leads = new Map<string, PendingLead>();
  let deadLetters: DeadLetter[] = [];
  let steps: { readonly step: Step; readonly error: string | undefined }[] = [];
  let timestamps: number[] = [];
  let spans = new Map<string, { readonly first: number; last: number }>();
  let tally = createTally();
  let bytes = 0;

  const clear = () => {
    moved = new Set();
    leads = new Map();
    deadLetters = [];
    steps = [];
    timestamps = [];
    spans = new Map();
    tally = createTally();
    bytes = 0;
  };

  const findLog = (leadNo: number, id: string): ActionLog | undefined => {
    const text = store.actionLogs.get(leadNo, id);
    return text === undefined ? undefined : (parseJson(text) as ActionLog);
  };

  const noteSpan = (name: string, { offset }: SourceRecord) => {
    const span = spans.get(name);
    if (span) span.last = offset;
    else spans.set(name, { first: offset, last: offset });
  };

  return {
    positions: () => [...current.values()],
    fold(record) {
      const name = partitionName(record);
      if (record.offset < (current.get(name)?.nextOffset ?? 0)) return;
      const step = (steps.length < MOST_STEPS ? tracing : passingOn).process(record);
      let decoded: Decoded | undefined;
      let error: string | undefined;
      try {
        decoded = decode(record);
        const lead = leads.get(decoded.leadId) ?? loadLead(store, decoded.leadId);
        leads.set(decoded.leadId, lead);
        const outcome = applyDecoded(lead, decoded, findLog);
        if (outcome === "folded") lead.traceparent = step?.traceparent ?? null;
        tally.add(decoded, outcome);
      } catch (cause) {
        if (isDatabaseError(cause)) {
          step?.end("database");
          throw cause;
        }
        const letter = deadLetterOf(record, decoded, cause);
        error = letter.code;
        deadLetters.push(letter);
        tally.add(decoded, "dead_letter");
      }
      if (step) steps.push({ step, error });
      timestamps.push(record.timestamp);
      noteSpan(name, record);
      bytes += sizeOf(record);
    },
    advance(positions) {
      for (const position of positions) {
        const name = partitionName(position);
        if (position.nextOffset < (current.get(name)?.nextOffset ?? 0)) continue;
        current.set(name, position);
        moved.add(name);
      }
    },
    pending: () => ({ records: timestamps.length, bytes }),
    span: () => [...spans].map(([name, { first, last }]) => `${name}/${first} to ${last}`).join(", "),
    commit() {
      const start = monotonic();
      const pending = [...leads.values()];
      const assembly = commitPending(store, {
        assemble,
        leads: pending,
        deadLetters,
        failedAt: now(),
        positions: [...moved].map((name) => current.get(name) as Position),
        keptGenerations,
      });
      const committed: Committed = {
        records: timestamps.length,
        deadLetters,
        dropped: pending.reduce((sum, lead) => sum + lead.dropped, 0),
        erased: pending.filter((lead) => lead.erased === "now").map(({ leadId }) => leadId),
        assembly,
        milliseconds: monotonic() - start,
        outcomes: tally.outcomes(),
        timestamps,
      };
      for (const { step, error } of steps) step.end(error);
      clear();
      return committed;
    },
  };
}

/** About the bytes that the record keeps in memory until the commit; a file's value is not read for it. */
const sizeOf = (record: SourceRecord): number =>
  (record.json ? record.json.text.length : (record.value?.length ?? 0)) + 200;
