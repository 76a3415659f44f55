import { wallClock } from "../shared/clock.ts";
import type { Connection } from "../shared/sqlite.ts";
import {
  type Reach,
  SELECT_ARRIVAL_REACH,
  SELECT_ARRIVALS,
  SELECT_ARRIVED,
  SELECT_FIRST_ARRIVAL,
  SELECT_IS_REPLICA,
  SELECT_LEAD_ARRIVAL,
  SELECT_WORKSPACE_ARRIVALS,
  type SequencedHead,
} from "../shared/view/arrival.ts";
import {
  type ChangeHead,
  SELECT_CHANGE_HEAD,
  SELECT_CHANGE_HEADS,
  SELECT_LAST_NUMBER,
  SELECT_WORKSPACE_CHANGE_HEADS,
} from "../shared/view/change.ts";

/** The changes of a view database, in the order in which it tells of them. */
export interface Changes {
  /** How far they have come. */
  reach(): Reach;
  /** The mark to go on behind for who has seen all up to a number; undefined where the numbers have to be gone through. */
  markOf(number: number): number | undefined;
  /** True where the database, or another one that tells of the same changes, can have given the number. */
  wasGiven(number: number): boolean;
  /** False where what came behind the mark is not remembered: the numbers have to be gone through. */
  remembers(mark: number): boolean;
  /** What came behind a mark, in order, at most so many; of one workspace, or of all. */
  since(mark: number, most: number, workspaceId?: string): SequencedHead[];
  /** The same of one lead: its latest, as a list. */
  sinceOf(leadId: string, mark: number): SequencedHead[];
  /** The changes behind a number, by their numbers, as they are now. */
  byNumber(after: number, most: number, workspaceId?: string): ChangeHead[];
  /** A lead's latest change, without its view. */
  head(leadId: string): ChangeHead | undefined;
  /** The leads of which something came behind a mark. */
  changed(mark: number, most: number): { readonly mark: number; readonly leadId: string }[];
}

/** The latest that a number can be ahead of this machine's clock, in microseconds. */
const CLOCKS_APART = 60_000_000;

/** A projector's changes are told by their numbers; a replica's as they arrived. */
export function createChanges(db: Connection): Changes {
  const last = db.prepare<[], number>(SELECT_LAST_NUMBER).pluck();
  const heads = db.prepare<[number, number], ChangeHead>(SELECT_CHANGE_HEADS);
  const workspaceHeads = db.prepare<[string, number, number], ChangeHead>(SELECT_WORKSPACE_CHANGE_HEADS);
  const head = db.prepare<[string], ChangeHead>(SELECT_CHANGE_HEAD);
  const byNumber = (after: number, most: number, workspaceId?: string): ChangeHead[] =>
    workspaceId === undefined ? heads.all(after, most) : workspaceHeads.all(workspaceId, after, most);
  const lastNumber = () => last.get() as number;
  const shared = { byNumber, head: (leadId: string) => head.get(leadId) };
  if (db.prepare(SELECT_IS_REPLICA).get() !== undefined) return { ...shared, ...arrivals(db, lastNumber) };
  return {
    ...shared,
    reach() {
      const number = lastNumber();
      return { mark: number, resume: number };
    },
    markOf: (number) => number,
    wasGiven: (number) => number <= lastNumber(),
    remembers: () => true,
    since: (mark, most, workspaceId) => byNumber(mark, most, workspaceId).map(sequencedByNumber),
    sinceOf(leadId, mark) {
      const found = head.get(leadId);
      return found !== undefined && found.number > mark ? [sequencedByNumber(found)] : [];
    },
    changed: (mark, most) => heads.all(mark, most).map(({ number, leadId }) => ({ mark: number, leadId })),
  };
}

const sequencedByNumber = (head: ChangeHead): SequencedHead => ({
  ...head,
  mark: head.number,
  resume: head.number,
});

function arrivals(db: Connection, lastNumber: () => number): Omit<Changes, "byNumber" | "head"> {
  const reach = db.prepare<[], Reach>(SELECT_ARRIVAL_REACH);
  const first = db.prepare<[], number>(SELECT_FIRST_ARRIVAL).pluck();
  const all = db.prepare<[number, number], SequencedHead>(SELECT_ARRIVALS);
  const ofWorkspace = db.prepare<[string, number, number], SequencedHead>(SELECT_WORKSPACE_ARRIVALS);
  const ofLead = db.prepare<[string, number], SequencedHead>(SELECT_LEAD_ARRIVAL);
  const changed = db.prepare<[number, number], { readonly mark: number; readonly leadId: string }>(
    SELECT_ARRIVED,
  );
  return {
    reach: () => reach.get() as Reach,
    // Somebody may have seen more than has come here, and less than this: what came is not what it saw.
    markOf: () => undefined,
    wasGiven: (number) => number <= Math.max(lastNumber(), wallClock() * 1_000 + CLOCKS_APART),
    remembers: (mark) => mark >= (first.get() as number) - 1,
    since: (mark, most, workspaceId) =>
      workspaceId === undefined ? all.all(mark, most) : ofWorkspace.all(workspaceId, mark, most),
    sinceOf: (leadId, mark) => ofLead.all(leadId, mark),
    changed: (mark, most) => changed.all(mark, most),
  };
}
