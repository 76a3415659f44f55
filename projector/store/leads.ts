import type { Connection } from "../../shared/sqlite.ts";

/** A stored part of a lead: what one workspace's events said of it. */
export interface LeadRow {
  readonly no: number;
  readonly workspaceId: string;
  /** 1 on the part of the workspace that created the lead. */
  readonly owner: number;
  readonly state: string;
  /** The events that it saw lately. */
  readonly seen: Buffer | null;
}

/** The state of leads, one row for each workspace that spoke of one. */
export function createLeads(db: Connection) {
  const load = db.prepare<[string], LeadRow>(
    "SELECT no, workspace_id AS workspaceId, owner, state, seen FROM lead WHERE lead_id = ? ORDER BY no",
  );
  const insert = db.prepare<[string, string, number, string, Buffer | null]>(
    "INSERT INTO lead (lead_id, workspace_id, owner, state, seen) VALUES (?, ?, ?, ?, ?)",
  );
  const update = db.prepare<[string, Buffer | null, number]>(
    "UPDATE lead SET state = ?, seen = ? WHERE no = ?",
  );
  const own = db.prepare<[number]>("UPDATE lead SET owner = 1 WHERE no = ?");
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
  const countOwned = db.prepare<[], number>("SELECT count(*) FROM lead WHERE owner = 1").pluck();
  return {
    load: (leadId: string): LeadRow[] => load.all(leadId),
    /** @returns the row's number */
    insert: (
      leadId: string,
      workspaceId: string,
      { owner, state, seen }: Pick<LeadRow, "owner" | "state" | "seen">,
    ): number => Number(insert.run(leadId, workspaceId, owner, state, seen).lastInsertRowid),
    update: (no: number, { state, seen }: Pick<LeadRow, "state" | "seen">): void =>
      void update.run(state, seen, no),
    /** Makes the part the one that is shown. */
    own: (no: number): void => void own.run(no),
    /** Pages through the leads that have a view: row numbers and lead ids. */
    owned: (after: number, most: number): [no: number, leadId: string][] => owned.all(after, most),
    countOwned: (): number => countOwned.get() as number,
    removePart: (no: number): void => void removePart.run(no),
    /** The ids of the leads that a workspace owns. */
    ofWorkspace: (workspaceId: string): string[] => ofWorkspace.all(workspaceId),
  };
}
