import { SECTIONS } from "../../shared/view/change.ts";
import type { UrlSlot } from "../../shared/view/row.ts";
import { SECTION_HASH_CHARACTERS, sectionHash } from "../assemble/body.ts";
import type { NextNumber } from "../store/numbers.ts";
import type { Store } from "../store/store.ts";
import type { ViewHead, ViewRow } from "../store/views.ts";
import type { FoldedView } from "./folded-batch.ts";

export interface ViewOf {
  readonly leadId: string;
  readonly workspaceId: string;
  /** The trace of the event that changed it; null where that was another lead's, or came with none. */
  readonly traceparent: string | null;
}

const MATCHING = SECTIONS.indexOf("matchingLeads");
const OPENING = ',"matchingLeads":';
const EMPTY = "[]";
const hashOfMatching = (text: string): string => sectionHash(Buffer.from(OPENING + text));
const EMPTY_HASH = hashOfMatching(EMPTY);

export interface WritingView {
  /** Asked for the section's JSON where it may not be empty. */
  readonly matching: () => string;
  /** False where the matching leads are those that the stored view has. */
  readonly mayMatch: boolean;
  /** The number up to which a stored view may not be what was told last. */
  readonly doubtful: number;
}

/** Below all numbers, also of a view that has none. */
export const NOTHING_DOUBTFUL = -1;

/** What is stored, where it is what was told last for sure. */
const undoubted = (before: ViewHead, doubtful: number): ViewHead | undefined =>
  before.number > doubtful ? before : undefined;

/**
 * Writes a lead's view, with its matching leads put in their place. It gets a new number, and subscribers are told, only
 * where a section's bytes changed, which their hashes tell; or where the stored one is doubtful.
 * @returns false where it is stored as it is already
 */
export function writeView(
  { views }: Store,
  next: NextNumber,
  { leadId, workspaceId, traceparent }: ViewOf,
  view: FoldedView,
  { matching, mayMatch, doubtful }: WritingView,
): boolean {
  const before = views.head(leadId);
  const hasMatches =
    mayMatch || before === undefined || hashAt(before.sectionHashes, MATCHING) !== EMPTY_HASH;
  const spliced = withMatching(view, hasMatches ? matching() : EMPTY);
  const known = before && undoubted(before, doubtful);
  if (known?.status !== undefined && known.status !== null && known.workspaceId === workspaceId)
    if (known.sectionHashes === spliced.sectionHashes) return false;
  const number = next();
  const { status, body, sectionEnds, sectionHashes, urlSlots } = spliced;
  const row: ViewRow = {
    workspaceId,
    number,
    status,
    sectionNumbers: sectionNumbers(number, sectionHashes, known),
    sectionEnds: JSON.stringify(sectionEnds),
    sectionHashes,
    traceparent,
    urlSlots: urlSlots.length === 0 ? null : JSON.stringify(urlSlots),
    body,
  };
  if (before) views.update(before.row, row);
  else views.insert(leadId, row);
  return true;
}

/**
 * Puts other matching leads into a stored view.
 * @param doubtful see WritingView
 * @returns false where there is no view, or they are the same and it is not doubtful
 */
export function refreshMatching(
  store: Store,
  next: NextNumber,
  leadId: string,
  matching: string,
  doubtful: number,
): boolean {
  const numbersOf = (hashes: string, before: ViewHead) => {
    const number = next();
    const sections = sectionNumbers(number, hashes, undoubted(before, doubtful));
    return { number, sectionNumbers: sections, traceparent: null };
  };
  return putMatching(store, leadId, matching, { numbersOf, doubtful });
}

interface PuttingMatching {
  /** What the view is said to be from now on; absent = what it was. */
  readonly numbersOf?: (
    hashes: string,
    before: ViewHead,
  ) => Pick<ViewHead, "number" | "sectionNumbers" | "traceparent">;
  readonly doubtful?: number;
}

/** The same for a view that has no number of its own yet. */
export function putMatching(
  { views }: Store,
  leadId: string,
  matching: string,
  { numbersOf = (_, before) => before, doubtful = NOTHING_DOUBTFUL }: PuttingMatching = {},
): boolean {
  const before = views.head(leadId);
  if (!before || before.status === null) return false;
  const isSame = hashAt(before.sectionHashes, MATCHING) === hashOfMatching(matching);
  if (isSame && undoubted(before, doubtful)) return false;
  const { urlSlots, body } = views.get(leadId) as ViewRow & { readonly body: Buffer };
  const view: FoldedView = {
    status: before.status,
    body,
    sectionEnds: JSON.parse(before.sectionEnds) as number[],
    sectionHashes: before.sectionHashes,
    urlSlots: urlSlots === null ? [] : (JSON.parse(urlSlots) as UrlSlot[]),
  };
  const spliced = withMatching(view, matching);
  const { number, sectionNumbers, traceparent } = numbersOf(spliced.sectionHashes, before);
  views.update(before.row, {
    workspaceId: before.workspaceId,
    number,
    status: before.status,
    sectionNumbers,
    sectionEnds: JSON.stringify(spliced.sectionEnds),
    sectionHashes: spliced.sectionHashes,
    traceparent,
    urlSlots: spliced.urlSlots.length === 0 ? null : JSON.stringify(spliced.urlSlots),
    body: spliced.body,
  });
  return true;
}

/** A view with this JSON in the place of its matching leads; what stands behind it moves. */
function withMatching(view: FoldedView, matching: string): FoldedView {
  const { status, body, sectionEnds, sectionHashes, urlSlots } = view;
  const hash = hashOfMatching(matching);
  if (hash === hashAt(sectionHashes, MATCHING)) return view;
  const from = sectionEnds[MATCHING - 1] as number;
  const to = sectionEnds[MATCHING] as number;
  const section = Buffer.from(OPENING + matching);
  const moved = section.length - (to - from);
  return {
    status,
    body: Buffer.concat([body.subarray(0, from), section, body.subarray(to)]),
    sectionEnds: sectionEnds.map((end, index) => (index < MATCHING ? end : end + moved)),
    sectionHashes: withHashAt(sectionHashes, MATCHING, hash),
    urlSlots: urlSlots.map(([at, key]) => [at < to ? at : at + moved, key]),
  };
}

/**
 * Leaves a tombstone where a view was, or where it may have been in an earlier life of the database: of the lead only
 * its id is kept.
 */
export function buryView(
  { views }: Store,
  next: NextNumber,
  { leadId, workspaceId, traceparent }: ViewOf,
): void {
  const row: ViewRow = { ...tombstone(workspaceId, next()), traceparent };
  const before = views.head(leadId);
  if (before) views.update(before.row, row);
  else views.insert(leadId, row);
}

/** The row of a lead that has no view any more. */
export const tombstone = (workspaceId: string, number: number): ViewRow => ({
  workspaceId,
  number,
  status: null,
  sectionNumbers: "[]",
  sectionEnds: "[]",
  sectionHashes: "",
  traceparent: null,
  urlSlots: null,
  body: null,
});

const hashAt = (hashes: string, index: number): string =>
  hashes.slice(index * SECTION_HASH_CHARACTERS, (index + 1) * SECTION_HASH_CHARACTERS);

const withHashAt = (hashes: string, index: number, hash: string): string =>
  hashes.slice(0, index * SECTION_HASH_CHARACTERS) +
  hash +
  hashes.slice((index + 1) * SECTION_HASH_CHARACTERS);

/** Each section's own number, as JSON: the new one where its hash is not that of before. */
function sectionNumbers(number: number, hashes: string, before: ViewHead | undefined): string {
  const old = before && before.status !== null ? (JSON.parse(before.sectionNumbers) as number[]) : [];
  const numbers = SECTIONS.map((_, index) =>
    hashAt(hashes, index) === hashAt(before?.sectionHashes ?? "", index) ? (old[index] ?? number) : number,
  );
  return JSON.stringify(numbers);
}
