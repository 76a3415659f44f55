import type { Event } from "../shared/events/catalogue.ts";
import type { Decode, Decoded } from "./decode/decode.ts";
import { DecodeError } from "./decode/decode-error.ts";
import { type ActionLog, foldActionLog, isPatch } from "./fold/action-log.ts";
import { foldPart, isActionLogEvent } from "./fold/fold.ts";
import { FoldError } from "./fold/fold-error.ts";
import { loadLead, type PendingLead, type PendingPart, partOf } from "./pending-leads.ts";
import type { Position, SourceRecord } from "./source/source.ts";
import { commitPending } from "./store/commit.ts";
import type { DeadLetter } from "./store/dead-letters.ts";
import type { Store } from "./store/store.ts";

/** What one commit made durable. */
export interface Committed {
  readonly records: number;
  readonly deadLetters: readonly DeadLetter[];
  /** Records that came for erased leads. */
  readonly dropped: number;
  /** Leads whose view was assembled. */
  readonly assembled: number;
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

export function createProjection(
  store: Store,
  decode: Decode,
  now: () => Date = () => new Date(),
): Projection {
  let turn = 0;
  let stored = new Map<string, Position>();
  let current = new Map<string, Position>();
  let leads = new Map<string, PendingLead>();
  let deadLetters: DeadLetter[] = [];
  let records = 0;
  let bytes = 0;

  const clear = () => {
    leads = new Map();
    deadLetters = [];
    records = 0;
    bytes = 0;
  };

  const reset = () => {
    clear();
    turn = store.positions.turn();
    stored = new Map(store.positions.all().map((position) => [nameOf(position), position]));
    current = new Map(stored);
  };
  reset();

  return {
    positions: () => [...current.values()],
    fold(record) {
      if (record.offset < (current.get(nameOf(record))?.nextOffset ?? 0)) return;
      try {
        apply(store, leads, decode(record));
      } catch (error) {
        if (isOurs(error)) throw error;
        deadLetters.push(deadLetterOf(record, error));
      }
      records++;
      bytes += sizeOf(record);
    },
    advance(positions) {
      for (const position of positions) current.set(nameOf(position), position);
    },
    pending: () => ({ records, bytes }),
    commit() {
      const assembled = commitPending(store, {
        turn,
        leads: [...leads.values()],
        deadLetters,
        failedAt: now(),
        positions: [...current.entries()]
          .filter(([name, position]) => stored.get(name) !== position)
          .map(([name, position]) => ({ position, from: stored.get(name)?.nextOffset })),
      });
      const dropped = [...leads.values()].reduce((sum, lead) => sum + lead.dropped, 0);
      const committed = { records, deadLetters, dropped, assembled };
      turn++;
      stored = new Map(current);
      clear();
      return committed;
    },
    reset,
  };
}

/** Folds all of a record's events, or none. */
function apply(store: Store, leads: Map<string, PendingLead>, decoded: Decoded): void {
  const { leadId } = decoded;
  const lead = leads.get(leadId) ?? loadLead(store, leadId);
  leads.set(leadId, lead);
  if (lead.erased !== false) {
    if (!("erase" in decoded)) lead.dropped++;
  } else if ("erase" in decoded) {
    lead.erased = "now";
  } else {
    applyEvents(store, lead, decoded.events);
  }
}

function applyEvents(store: Store, lead: PendingLead, events: readonly Event[]): void {
  const pending = partOf(lead, (events[0] as Event).workspaceId);
  const logs = new Map<string, ActionLog>();
  let part = pending.part;
  for (const event of events) {
    if (isActionLogEvent(event)) {
      const { id } = event.data;
      const before = isPatch(event) ? (logs.get(id) ?? logOf(store, pending, id)) : undefined;
      logs.set(id, foldActionLog(before, event));
    } else {
      part = foldPart(part, event);
    }
  }
  pending.part = part;
  pending.changed = true;
  for (const [id, log] of logs) pending.logs.set(id, log);
  if (part.createdBy !== null) lead.owner ??= part.workspaceId;
}

const logOf = (store: Store, { stored, logs }: PendingPart, id: string): ActionLog | undefined =>
  logs.get(id) ?? (stored && store.actionLogs.get(stored.no, id));

/** True for a trouble that is not the record's: it stops the batch and never becomes a dead letter (section 4). */
const isOurs = (error: unknown): boolean => (error as Error | null)?.name === "SqliteError";

function deadLetterOf(record: SourceRecord, error: unknown): DeadLetter {
  if (error instanceof DecodeError || error instanceof FoldError) {
    return { record, code: error.code, reason: error.message };
  }
  // The message of an unforeseen error could quote the record, which may hold a person's data: its class says enough.
  return {
    record,
    code: "fold_failed",
    reason: `the fold failed: ${(error as Error | null)?.name ?? "unknown error"}`,
  };
}

/** About the bytes that the record keeps in memory until the commit; a file's value is not read for it. */
const sizeOf = (record: SourceRecord): number =>
  (record.json ? record.json.text.length : (record.value?.length ?? 0)) + 200;

const nameOf = ({ topic, partition }: { readonly topic: string; readonly partition: number }) =>
  `${topic}/${partition}`;
