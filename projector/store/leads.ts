import type { Connection } from "../../shared/sqlite.ts";
import type { Identity } from "../fold/identity.ts";
import { decodePart, encodePart, type LeadPart } from "../fold/lead-part.ts";

/** A stored part of a lead: the row's number, and what the lead is matched by. */
export interface StoredPart {
  readonly no: number;
  readonly owner: boolean;
  /** Null on a part that is not the owner's. */
  readonly identity: Identity | null;
  readonly part: LeadPart;
  /** The events that it saw lately, as `encodeSeen` wrote them. */
  readonly seen: Buffer | null;
}

interface LeadRow {
  readonly no: number;
  readonly leadId: string;
  readonly workspaceId: string;
  readonly owner: number;
  readonly emailKey: string | null;
  readonly phoneKey: string | null;
  readonly createdAt: string | null;
  readonly matchable: number;
  readonly card: string | null;
  readonly state: string;
  readonly seen: Buffer | null;
}

const COLUMNS = `no, lead_id AS leadId, workspace_id AS workspaceId, owner, email_key AS emailKey,
  phone_key AS phoneKey, created_at AS createdAt, matchable, card, state, seen`;

/** The state of leads, one row for each workspace that spoke of one. */
export function createLeads(db: Connection) {
  const load = db.prepare<[string], LeadRow>(`SELECT ${COLUMNS} FROM lead WHERE lead_id = ?`);
  const insert = db.prepare(
    `INSERT INTO lead (lead_id, workspace_id, owner, email_key, phone_key, created_at, matchable, card, state, seen)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const update = db.prepare(
    `UPDATE lead SET owner = ?, email_key = ?, phone_key = ?, created_at = ?, matchable = ?, card = ?, state = ?,
       seen = ? WHERE no = ?`,
  );
  const remove = db.prepare<[string]>("DELETE FROM lead WHERE lead_id = ?");
  const removePart = db.prepare<[number]>("DELETE FROM lead WHERE no = ?");
  const ofWorkspace = db
    .prepare<[string], string>(
      "SELECT lead_id FROM lead WHERE workspace_id = ? AND owner = 1 ORDER BY lead_id",
    )
    .pluck();
  const owned = db
    .prepare<[number, number], [number, string]>(
      "SELECT no, lead_id FROM lead WHERE no > ? AND owner = 1 ORDER BY no LIMIT ?",
    )
    .raw();
  const wasErased = db.prepare<[string], unknown>("SELECT 1 FROM erased WHERE lead_id = ?");
  const erase = db.prepare<[string]>("INSERT INTO erased VALUES (?, 0) ON CONFLICT DO NOTHING");
  const countDropped = db.prepare<[number, string]>(
    "UPDATE erased SET dropped = dropped + ? WHERE lead_id = ?",
  );
  return {
    load: (leadId: string): StoredPart[] => load.all(leadId).map(storedPart),
    isErased: (leadId: string): boolean => wasErased.get(leadId) !== undefined,
    /** Writes a part and returns its row's number. */
    write(
      no: number | undefined,
      part: LeadPart,
      owner: boolean,
      identity: Identity | null,
      seen: Buffer | null,
    ): number {
      const { emailKey = null, phoneKey = null, createdAt = null, card = null } = identity ?? {};
      const values = [
        owner ? 1 : 0,
        emailKey,
        phoneKey,
        createdAt,
        identity?.matchable ? 1 : 0,
        card,
        encodePart(part),
        seen,
      ];
      if (no === undefined)
        return Number(insert.run(part.leadId, part.workspaceId, ...values).lastInsertRowid);
      update.run(...values, no);
      return no;
    },
    /** Pages through the leads that have a view: row numbers and lead ids. */
    owned: (after: number, most: number): [no: number, leadId: string][] => owned.all(after, most),
    removePart: (no: number): void => void removePart.run(no),
    /** The ids of the leads that a workspace owns. */
    ofWorkspace: (workspaceId: string): string[] => ofWorkspace.all(workspaceId),
    /** Forgets the lead for good; its logs and its view are others' to remove. */
    erase(leadId: string): void {
      remove.run(leadId);
      erase.run(leadId);
    },
    countDropped: (leadId: string, records: number): void => void countDropped.run(records, leadId),
  };
}

function storedPart(row: LeadRow): StoredPart {
  const { no, leadId, workspaceId, emailKey, phoneKey, createdAt, card } = row;
  const identity =
    card === null ? null : { emailKey, phoneKey, createdAt, matchable: row.matchable === 1, card };
  const part = decodePart(leadId, workspaceId, row.state);
  return { no, owner: row.owner === 1, identity, part, seen: row.seen };
}
