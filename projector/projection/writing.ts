import { monotonic, wallClock } from "../../shared/clock.ts";
import type { DeadLetter } from "../store/dead-letters.ts";
import type { NextNumber } from "../store/numbers.ts";
import { hasTraces, markTraces, markUnscrubbed } from "../store/scrub.ts";
import type { Store } from "../store/store.ts";
import type { FoldedBatch, FoldedCounts, FoldedLead, FoldedPart, Writing } from "./folded-batch.ts";
import { createMatching, type MatchingChange, writeIdentities } from "./matching.ts";
import { buryView, NOTHING_DOUBTFUL, refreshMatching, writeView } from "./write-view.ts";

export interface WritingOptions {
  /** When what can't be folded is said to have failed. */
  readonly now?: () => Date;
  /** The generations that are kept beside this one: an erase is a duty in each (rule: erase everywhere). */
  readonly keptGenerations?: () => readonly number[];
  /** False in a build, whose views get their numbers when it is compared with the serving generation. */
  readonly numbers?: boolean;
}

/** What a view has before its generation is compared with the serving one, which decides its number. */
export const UNNUMBERED = 0;

/** Makes the writing half of a projection: the only one that writes into the database. */
export function createWriting(
  store: Store,
  { now = () => new Date(wallClock()), keptGenerations = () => [], numbers = true }: WritingOptions = {},
): Writing {
  const lastOfEarlier = store.numbers.last();
  return {
    write(batch, mayRepeat = false) {
      const start = monotonic();
      const erases = batch.leads.some(({ erased }) => erased);
      const work = (nextNumber: NextNumber) => {
        const next = numbers ? nextNumber : () => UNNUMBERED;
        for (const position of batch.positions) store.positions.put(position);
        const matching = writeIdentities(store, batch.leads, mayRepeat);
        const kept = erases ? keptGenerations() : [];
        for (const lead of batch.leads) writeLead(store, next, lead, kept);
        for (const letter of batch.deadLetters) keepLetter(store, letter, now());
        return writeViews(store, next, batch.leads, matching, mayRepeat ? lastOfEarlier : NOTHING_DOUBTFUL);
      };
      const views = erases ? store.erasing(work) : store.transaction(work);
      const erased = batch.leads.filter((lead) => lead.erased).map(({ leadId }) => leadId);
      return { erased, views, milliseconds: monotonic() - start };
    },
  };
}

/** @param doubtful the number up to which rows may stand where others were told: as they are touched they get new ones */
function writeViews(
  store: Store,
  next: NextNumber,
  leads: readonly FoldedLead[],
  { stale, alone }: MatchingChange,
  doubtful: number,
): number {
  const matchingOf = createMatching(store, alone);
  let written = 0;
  for (const { leadId, owner, traceparent, view, erased } of leads) {
    if (erased) stale.delete(leadId);
    if (!view || owner === null) continue;
    const of = { leadId, workspaceId: owner, traceparent };
    const mayMatch = stale.delete(leadId);
    if (writeView(store, next, of, view, { matching: () => matchingOf(leadId), mayMatch, doubtful }))
      written++;
  }
  for (const leadId of stale)
    if (refreshMatching(store, next, leadId, matchingOf(leadId), doubtful)) written++;
  return written;
}

/** Writes what changed of a lead's state. */
function writeLead(
  store: Store,
  next: NextNumber,
  lead: FoldedLead,
  keptGenerations: readonly number[],
): void {
  const { leadId, erased, dropped, replaces, owner } = lead;
  if (erased) eraseLead(store, next, lead, keptGenerations);
  if (dropped > 0) store.erased.countDropped(leadId, dropped);
  if (erased) return;
  if (replaces) clearLead(store, next, lead);
  for (const part of lead.parts) writePart(store, leadId, part, owner === part.workspaceId);
}

function writePart({ leads, actionLogs }: Store, leadId: string, part: FoldedPart, isOwner: boolean): void {
  const { workspaceId, isNew, pieces, olderLogs } = part;
  const known = isNew ? undefined : leads.numberOf(leadId, workspaceId);
  const no = known ?? leads.insert(leadId, workspaceId, isOwner);
  if (known !== undefined && isOwner) leads.own(known);
  for (const { piece, content } of pieces) {
    if (content === null) leads.removePiece(no, piece);
    else if (isNew) leads.insertPiece(no, piece, content);
    else leads.putPiece(no, piece, content);
  }
  for (const log of olderLogs) actionLogs.put(log, no);
}

/** Makes room for a lead that was folded again from its first event on. */
function clearLead(store: Store, next: NextNumber, { leadId, owner, traceparent }: FoldedLead): void {
  if (removeParts(store, leadId) > 0) markTraces(store);
  const before = store.views.head(leadId);
  if (owner !== null || !before || before.status === null) return;
  buryView(store, next, { leadId, workspaceId: before.workspaceId, traceparent });
}

function removeParts({ leads, actionLogs }: Store, leadId: string): number {
  const parts = leads.parts(leadId);
  for (const { no } of parts) {
    actionLogs.remove(no);
    leads.remove(no);
  }
  return parts.length;
}

/** Forgets the lead for good: all that it owns, here and, as a duty, in the generations that are kept. */
function eraseLead(
  store: Store,
  next: NextNumber,
  { leadId, owner, traceparent }: FoldedLead,
  keptGenerations: readonly number[],
): void {
  const workspaceId = store.views.head(leadId)?.workspaceId ?? owner;
  const parts = removeParts(store, leadId);
  store.erased.add(leadId);
  const letters = store.deadLetters.erase(leadId);
  if (parts + letters > 0 || hasTraces(store)) markUnscrubbed(store);
  for (const generation of keptGenerations) store.erased.addDuty({ generation, leadId });
  if (workspaceId !== null) buryView(store, next, { leadId, workspaceId, traceparent });
}

/** What can't be folded, but spoke of an erased lead or carries its key, is forgotten as the lead is. */
function keepLetter(store: Store, letter: DeadLetter, failedAt: Date): void {
  const key = letter.record.key?.toString("utf8");
  const erased = [key, letter.leadId].find((id) => id !== undefined && id !== null && store.erased.has(id));
  if (typeof erased === "string") store.erased.countDropped(erased, 1);
  else store.deadLetters.add(letter, failedAt);
}

/** A batch that does nothing but erase some leads. */
export const erasureOf = (leadIds: readonly string[]): FoldedBatch => ({
  leads: leadIds.map((leadId) => ({
    leadId,
    erased: true,
    dropped: 0,
    replaces: false,
    left: [],
    owner: null,
    traceparent: null,
    parts: [],
    identity: undefined,
    view: undefined,
  })),
  deadLetters: [],
  positions: [],
  counts: NOTHING_COUNTED,
});

/** Of a batch that no records stand behind. */
export const NOTHING_COUNTED: FoldedCounts = {
  records: 0,
  outcomes: [],
  timestamps: [],
  views: 0,
  milliseconds: 0,
};
