import { LeadView, Status } from "./lead-view.ts";
import type { UrlSlot } from "./row.ts";

/** The fields of the view, in their order: what a subscriber can filter changes by. */
export const SECTIONS = Object.keys(LeadView.fields) as readonly (keyof typeof LeadView.fields)[];

/** A lead's latest change, with its view as of now. */
export interface ChangeRow {
  /** Strictly increasing over all leads and all lives of the database; never given twice (rule: one number). */
  readonly number: number;
  readonly leadId: string;
  readonly workspaceId: string;
  /** Null where the view is gone. */
  readonly status: string | null;
  /** JSON: the number of each section's latest change, as SECTIONS has them; empty where it is not known. */
  readonly sectionNumbers: string;
  /** The trace of the event that made the change (W3C Trace Context); null where it came with none. */
  readonly traceparent: string | null;
  readonly body: Buffer | null;
  /** JSON: the byte of the body behind each section, as SECTIONS has them. */
  readonly sectionEnds: string;
  readonly urlSlots: string | null;
}

/** What a change says without its view. */
export type ChangeHead = Omit<ChangeRow, "body" | "sectionEnds" | "urlSlots">;

const HEAD_COLUMNS = `number, lead_id AS leadId, workspace_id AS workspaceId, status, section_numbers AS sectionNumbers,
  traceparent`;
const COLUMNS = `${HEAD_COLUMNS}, body, section_ends AS sectionEnds, url_slots AS urlSlots`;

/** Reads one lead's latest change: `?` the lead's id. */
export const SELECT_CHANGE = `SELECT ${COLUMNS} FROM lead_view WHERE lead_id = ?`;
export const SELECT_CHANGE_HEAD = `SELECT ${HEAD_COLUMNS} FROM lead_view WHERE lead_id = ?`;

const changesOfAll = (columns: string): string =>
  `SELECT ${columns} FROM lead_view WHERE number > ? ORDER BY number LIMIT ?`;

/** Reads the changes behind a number, in order: `?` the number, `?` at most so many. */
export const SELECT_CHANGES = changesOfAll(COLUMNS);
export const SELECT_CHANGE_HEADS = changesOfAll(HEAD_COLUMNS);

/** Every status that a row can have: those of the contract, and none. */
const ROW_STATUSES = [...Status.literals.map((status) => `= '${status}'`), "IS NULL"];

/**
 * The same of one workspace: `?` the workspace, `?` the number, `?` at most so many. One range of the index for each
 * status, merged, since the index that finds by status serves this too; the rows are then read by their rowid.
 */
const changesOfWorkspace = (
  columns: string,
): string => `WITH bound (workspace, after, most) AS (SELECT ?, ?, ?)
  SELECT ${columns} FROM lead_view WHERE rowid IN (
    SELECT id FROM (${ROW_STATUSES.map(
      (status) =>
        `SELECT * FROM (SELECT rowid AS id, number FROM lead_view
          WHERE workspace_id = (SELECT workspace FROM bound) AND status ${status}
            AND number > (SELECT after FROM bound) ORDER BY number LIMIT (SELECT most FROM bound))`,
    ).join(" UNION ALL ")}) ORDER BY number LIMIT (SELECT most FROM bound))
  ORDER BY number`;

export const SELECT_WORKSPACE_CHANGES = changesOfWorkspace(COLUMNS);
export const SELECT_WORKSPACE_CHANGE_HEADS = changesOfWorkspace(HEAD_COLUMNS);

/** The last number that a change was given. */
export const SELECT_LAST_NUMBER = "SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'number'";

/** The names of the sections that changed behind a number. */
export function changedSections(
  { sectionNumbers }: Pick<ChangeRow, "sectionNumbers">,
  after: number,
): string[] {
  const numbers = JSON.parse(sectionNumbers) as number[];
  return SECTIONS.filter((_, index) => (numbers[index] ?? Number.POSITIVE_INFINITY) > after);
}

/** The view as others may keep it: presigned URLs expire, so each is null. */
export function viewWithoutUrls(body: Buffer, urlSlots: string | null): Buffer {
  if (urlSlots === null) return body;
  const parts: Buffer[] = [];
  let from = 0;
  for (const [offset] of JSON.parse(urlSlots) as UrlSlot[]) {
    parts.push(body.subarray(from, offset - 1), NULL);
    from = offset + 1;
  }
  parts.push(body.subarray(from));
  return Buffer.concat(parts);
}

/**
 * The inverse of `viewWithoutUrls`: the body as its row has it.
 * @throws Error where the slots are not those of this view
 */
export function bodyOfView(view: Buffer, urlSlots: string | null): Buffer {
  if (urlSlots === null) return view;
  const parts: Buffer[] = [];
  let from = 0;
  // An empty text is two bytes shorter than a null.
  for (const [index, [offset]] of (JSON.parse(urlSlots) as UrlSlot[]).entries()) {
    const at = offset - 1 + 2 * index;
    if (at < from || !view.subarray(at, at + NULL.length).equals(NULL))
      throw new Error(`the view has no place for a URL at byte ${at}`);
    parts.push(view.subarray(from, at), EMPTY);
    from = at + NULL.length;
  }
  parts.push(view.subarray(from));
  return Buffer.concat(parts);
}

const NULL = Buffer.from("null");
const EMPTY = Buffer.from('""');
