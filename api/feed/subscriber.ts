import type { ServerResponse } from "node:http";
import type { Reach, SequencedHead } from "../../shared/view/arrival.ts";
import { changedSections } from "../../shared/view/change.ts";
import type { Changes } from "../changes.ts";

/** Changes that are read at a time, for one place or one subscriber. */
export const PAGE = 200;

export interface Subscription {
  readonly workspaceId: string;
  /** Undefined = all leads of the workspace. */
  readonly leadId: string | undefined;
  /** Only views of this status; undefined = of any. */
  readonly status: string | undefined;
  /** Only changes of one of these sections of the view; empty = of any. */
  readonly sections: readonly string[];
  /** The number of the last change that the subscriber has seen; 0 = none, tell all; undefined = begin with what comes. */
  readonly after: number | undefined;
  /** Asked all the time whether the subscriber may still read. */
  readonly isAllowed: () => boolean;
}

/** A subscriber is in the register from the moment it connects until it is gone, and always in one of these. */
type State = "catching up" | "live" | "gone";

export interface Subscriber extends Subscription {
  readonly response: ServerResponse;
  state: State;
  /** All that concerns it up to this number was written: the id that it goes on behind. */
  cursor: number;
  /** What it is told next. */
  next: Next;
  /** The last number that was given when it began from the start, until it was told all up to there; else undefined. */
  snapshotOf: number | undefined;
}

/**
 * Where a subscriber is: behind a mark, in the order in which changes are told; or, where it comes with a number that is
 * no mark here, behind a number, until it has seen all there is, and then behind the mark that there was when it began.
 */
export type Next =
  | { readonly behind: "mark"; readonly mark: number }
  | { readonly behind: "number"; readonly number: number; readonly began: Reach };

/** One that connects now; nothing was written to it yet. */
export function createSubscriber(
  subscription: Subscription,
  response: ServerResponse,
  changes: Changes,
): Subscriber {
  const { mark, resume } = changes.reach();
  const { after } = subscription;
  return {
    ...subscription,
    response,
    state: "catching up",
    cursor: after ?? resume,
    next: after === undefined ? { behind: "mark", mark } : behindNumber(changes, after),
    snapshotOf: after === 0 ? resume : undefined,
  };
}

/** Where one goes on that has seen everything up to a number. */
export function behindNumber(changes: Changes, number: number): Next {
  const mark = changes.markOf(number);
  return mark === undefined ? { behind: "number", number, began: changes.reach() } : { behind: "mark", mark };
}

/** False where this database never told up to the mark, or does not remember what came behind it. */
export const isHere = (changes: Changes, mark: number, now: Reach): boolean =>
  mark <= now.mark && changes.remembers(mark);

/** @param seen the number up to which the subscriber was told of everything */
export function concerns(
  { workspaceId, leadId, status, sections }: Subscription,
  head: SequencedHead,
  seen: number,
): boolean {
  if (head.workspaceId !== workspaceId || (leadId !== undefined && head.leadId !== leadId)) return false;
  if (head.status === null) return true;
  if (status !== undefined && head.status !== status) return false;
  return sections.length === 0 || changedSections(head, seen).some((section) => sections.includes(section));
}
