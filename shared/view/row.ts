/** Where one presigned URL goes: the byte offset in the body, between two quotes, and the object's storage key. */
export type UrlSlot = readonly [offset: number, storageKey: string];

/** One row of `lead_view`: the finished response, and where the URLs go that can't be stored (rule: signed at the read). */
export interface LeadViewRow {
  readonly workspaceId: string;
  /** The number of its latest change: a view whose bytes are the same keeps it (rule: one number). */
  readonly number: number;
  /** JSON: the number of each field's latest change, in the view's order; `[]` where it is not known. */
  readonly sectionNumbers: string;
  /** JSON: the byte behind each field of the view, in the view's order. */
  readonly sectionEnds: string;
  /** JSON of `UrlSlot[]`, ascending; null where the view has no document. */
  readonly urlSlots: string | null;
  /** The response as UTF-8 JSON, with an empty string in the place of each presigned URL; null where the view is gone. */
  readonly body: Buffer | null;
}

/** Reads one row by lead id. The projector's migrations make the table; this is all that the API reads of it. */
export const SELECT_LEAD_VIEW = `SELECT workspace_id AS workspaceId, number, section_numbers AS sectionNumbers, section_ends AS sectionEnds,
     url_slots AS urlSlots, body FROM lead_view WHERE lead_id = ?`;

/** The schema version of the view database that this program reads and writes (SQLite's user_version). */
export const DATABASE_VERSION = 6;
