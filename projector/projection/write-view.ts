import { SECTIONS } from "../../shared/view/change.ts";
import type { AssembledView } from "../assemble/body.ts";
import type { NextNumber } from "../store/numbers.ts";
import type { Store } from "../store/store.ts";
import type { ViewRow } from "../store/views.ts";

export interface ViewOf {
  readonly leadId: string;
  readonly workspaceId: string;
  /** True where the lead is known to have no row yet. */
  readonly isFirst: boolean;
  /** The trace of the event that changed it; null where that was another lead's, or came with none. */
  readonly traceparent: string | null;
}

/** Writes a lead's view; it gets a new number, and subscribers are told, only where its bytes changed. */
export function writeView({ views }: Store, next: NextNumber, of: ViewOf, view: AssembledView): void {
  const { leadId, workspaceId, isFirst, traceparent } = of;
  const { body, status, sectionEnds } = view;
  const urlSlots = view.urlSlots.length === 0 ? null : JSON.stringify(view.urlSlots);
  const previous = isFirst ? undefined : views.get(leadId);
  if (previous?.body?.equals(body) && previous.urlSlots === urlSlots && previous.workspaceId === workspaceId)
    return;
  const number = next();
  const row: ViewRow = {
    workspaceId,
    number,
    status,
    sectionNumbers: JSON.stringify(sectionNumbers(number, view, previous)),
    sectionEnds: JSON.stringify(sectionEnds),
    traceparent,
    urlSlots,
    body,
  };
  if (previous) views.put(leadId, row);
  else views.insert(leadId, row);
}

/**
 * Leaves a tombstone where a view was, or where it may have been in an earlier life of the database: of the lead only
 * its id is kept.
 */
export function buryView(
  { views }: Store,
  next: NextNumber,
  { leadId, workspaceId, traceparent }: Omit<ViewOf, "isFirst">,
): void {
  const none = { status: null, sectionNumbers: "[]", sectionEnds: "[]", urlSlots: null, body: null };
  views.put(leadId, { workspaceId, number: next(), traceparent, ...none });
}

/** Each section's own number: the new one where its bytes are not those of before. */
function sectionNumbers(number: number, view: AssembledView, previous: ViewRow | undefined): number[] {
  const before = previous?.body;
  const oldNumbers = before ? (JSON.parse(previous.sectionNumbers) as number[]) : [];
  const oldEnds = before ? (JSON.parse(previous.sectionEnds) as number[]) : [];
  const ends = view.sectionEnds;
  return SECTIONS.map((_, index) => {
    const [oldNumber, oldEnd, end] = [oldNumbers[index], oldEnds[index], ends[index]];
    if (!before || oldNumber === undefined || oldEnd === undefined || end === undefined) return number;
    const start = index === 0 ? 0 : (ends[index - 1] as number);
    const oldStart = index === 0 ? 0 : (oldEnds[index - 1] as number);
    return view.body.subarray(start, end).equals(before.subarray(oldStart, oldEnd)) ? oldNumber : number;
  });
}
