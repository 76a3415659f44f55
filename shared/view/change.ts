import { LeadView } from "./lead-view.ts";
import type { UrlSlot } from "./row.ts";

/** The fields of the view, in their order: what a subscriber can filter changes by. */
export const SECTIONS = Object.keys(LeadView.fields) as readonly (keyof typeof LeadView.fields)[];

/** A lead's latest change, with its view as of now. */
export interface ChangeRow {
  /** Strictly increasing over all leads, across restarts and rebuilds. */
  readonly seq: number;
  readonly leadId: string;
  readonly workspaceId: string;
  /** Strictly increasing per lead. */
  readonly version: number;
  /** Null where the lead was erased; its view is gone then. */
  readonly status: string | null;
  /** JSON: the number of each section's latest change, as SECTIONS has them; empty where it is not known. */
  readonly sectionSeqs: string;
  /** The trace of the event that made the change (W3C Trace Context); null where it came with none. */
  readonly traceparent: string | null;
  readonly body: Buffer | null;
  readonly urlSlots: string | null;
}

/** Reads the changes behind a number, in order: `?` the number, `?` at most so many. */
export const SELECT_CHANGES = `SELECT c.seq, c.lead_id AS leadId, c.workspace_id AS workspaceId, c.version, c.status,
    c.section_seqs AS sectionSeqs, c.traceparent, v.body, v.url_slots AS urlSlots
  FROM change c LEFT JOIN lead_view v ON v.lead_id = c.lead_id WHERE c.seq > ? ORDER BY c.seq LIMIT ?`;

/** The same of one workspace: `?` the workspace first. */
export const SELECT_WORKSPACE_CHANGES = SELECT_CHANGES.replace("WHERE", "WHERE c.workspace_id = ? AND");

/** The names of the sections that changed behind a number. */
export function changedSections({ sectionSeqs }: Pick<ChangeRow, "sectionSeqs">, after: number): string[] {
  const seqs = JSON.parse(sectionSeqs) as number[];
  return SECTIONS.filter((_, index) => (seqs[index] ?? Number.POSITIVE_INFINITY) > after);
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

const NULL = Buffer.from("null");
