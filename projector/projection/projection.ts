import type { Decode, Decoded } from "../decode/decode.ts";
import { type Position, partitionName, type SourceRecord } from "../source/source.ts";
import type { DeadLetter } from "../store/dead-letters.ts";
import type { Store } from "../store/store.ts";
import { passingOn, type Step, type Tracing } from "../trace/tracing.ts";
import { applyDecoded, deadLetterOf, isDatabaseTrouble } from "./apply.ts";
import { type Assembly, commitPending } from "./commit.ts";
import { loadLead, type PendingLead } from "./pending-leads.ts";
import { createTally, type Outcome } from "./tally.ts";

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
  /**
   * Commits all that was folded, and the positions that were noted.
   * @throws SqliteError where the database can't be written; nothing is committed then, so call again
   * @throws FencedError where another process committed meanwhile; call `reset`
   */
  commit(): Committed;
  /** Drops what was not committed. */
  reset(): void;
}

export interface ProjectionOptions {
  readonly now?: () => Date;
  /** False in a bulk load, which assembles every view once at its end. */
  readonly assemble?: boolean;
  readonly tracing?: Tracing;
}

/** A commit's records beyond these are not steps of their traces; their changes still carry them. */
const MOST_STEPS = 10_000;

export function createProjection(
  store: Store,
  decode: Decode,
  { now = () => new Date(), assemble = true, tracing = passingOn }: ProjectionOptions = {},
): Projection {
  let turn = 0;
  let stored = new Map<string, Position>();
  let current = new Map<string, Position>();
  let leads = new Map<string, PendingLead>();
  let deadLetters: DeadLetter[] = [];
  let steps: { readonly step: Step; readonly error: string | undefined }[] = [];
  let timestamps: number[] = [];
  let tally = createTally();
  let bytes = 0;

  const clear = () => {
    leads = new Map();
    deadLetters = [];
    steps = [];
    timestamps = [];
    tally = createTally();
    bytes = 0;
  };

  const reset = () => {
    for (const { step } of steps) step.end("fenced");
    clear();
    turn = store.positions.turn();
    stored = new Map(store.positions.all().map((position) => [partitionName(position), position]));
    current = new Map(stored);
  };
  reset();

  return {
    positions: () => [...current.values()],
    fold(record) {
      // With nothing pending, another process's commit is no conflict: go on from what it left.
      if (timestamps.length === 0 && store.positions.turn() !== turn) reset();
      if (record.offset < (current.get(partitionName(record))?.nextOffset ?? 0)) return;
      const step = (steps.length < MOST_STEPS ? tracing : passingOn).process(record);
      let decoded: Decoded | undefined;
      let error: string | undefined;
      try {
        decoded = decode(record);
        const lead = leads.get(decoded.leadId) ?? loadLead(store, decoded.leadId);
        leads.set(decoded.leadId, lead);
        const outcome = applyDecoded(lead, decoded, store.actionLogs.get);
        if (outcome === "folded") lead.traceparent = step?.traceparent ?? null;
        tally.add(decoded, outcome);
      } catch (cause) {
        if (isDatabaseTrouble(cause)) {
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
      bytes += sizeOf(record);
    },
    advance(positions) {
      for (const position of positions) {
        const known = current.get(partitionName(position))?.nextOffset ?? 0;
        if (position.nextOffset >= known) current.set(partitionName(position), position);
      }
    },
    pending: () => ({ records: timestamps.length, bytes }),
    commit() {
      const start = performance.now();
      const assembly = commitPending(store, {
        turn,
        assemble,
        leads: [...leads.values()],
        deadLetters,
        failedAt: now(),
        positions: [...current.entries()]
          .filter(([name, position]) => stored.get(name) !== position)
          .map(([name, position]) => ({ position, from: stored.get(name)?.nextOffset })),
      });
      const dropped = [...leads.values()].reduce((sum, lead) => sum + lead.dropped, 0);
      const erased = [...leads.values()].filter((lead) => lead.erased === "now").map(({ leadId }) => leadId);
      for (const { step, error } of steps) step.end(error);
      const committed: Committed = {
        records: timestamps.length,
        deadLetters,
        dropped,
        erased,
        assembly,
        milliseconds: performance.now() - start,
        outcomes: tally.outcomes(),
        timestamps,
      };
      turn++;
      stored = new Map(current);
      clear();
      return committed;
    },
    reset,
  };
}

/** About the bytes that the record keeps in memory until the commit; a file's value is not read for it. */
const sizeOf = (record: SourceRecord): number =>
  (record.json ? record.json.text.length : (record.value?.length ?? 0)) + 200;
