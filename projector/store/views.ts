import type { Connection } from "../../shared/sqlite.ts";
import {
  type ChangeRow,
  SELECT_CHANGE,
  SELECT_CHANGES,
  SELECT_WORKSPACE_CHANGES,
} from "../../shared/view/change.ts";

/** What a view's row says of it beside its body; a tombstone has neither status nor body. */
export interface ViewHead {
  readonly workspaceId: string;
  readonly number: number;
  readonly status: string | null;
  readonly sectionNumbers: string;
  readonly sectionEnds: string;
  readonly sectionHashes: string;
  readonly traceparent: string | null;
}

/** A view as its row has it. */
export interface ViewRow extends ViewHead {
  readonly urlSlots: string | null;
  readonly body: Buffer | null;
}

const HEAD = `workspace_id AS workspaceId, number, status, section_numbers AS sectionNumbers, section_ends AS sectionEnds,
  section_hashes AS sectionHashes, traceparent`;

/** The rows that the API reads, which are the outbox too: one row a lead, under the number of its latest change. */
export function createViews(db: Connection) {
  const get = db.prepare<[string], ViewRow>(
    `SELECT ${HEAD}, url_slots AS urlSlots, body FROM lead_view WHERE lead_id = ?`,
  );
  const number = db.prepare<[string], number>("SELECT number FROM lead_view WHERE lead_id = ?").pluck();
  const head = db.prepare<[string], ViewHead & { readonly row: number }>(
    `SELECT rowid AS "row", ${HEAD} FROM lead_view WHERE lead_id = ?`,
  );
  // What does not change is not named: so SQLite leaves the index of the ids alone.
  const update = db.prepare(
    `UPDATE lead_view SET workspace_id = ?, number = ?, status = ?, section_numbers = ?, section_ends = ?,
       section_hashes = ?, traceparent = ?, url_slots = ?, body = ? WHERE rowid = ?`,
  );
  const insert = db.prepare(
    `INSERT INTO lead_view (workspace_id, number, status, section_numbers, section_ends, section_hashes, traceparent,
       url_slots, body, lead_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const renumber = db.prepare<[number, string]>(
    "UPDATE lead_view SET number = ?, section_numbers = '[]' WHERE lead_id = ?",
  );
  const leadsOf = db
    .prepare<[string], string>("SELECT lead_id FROM lead_view WHERE workspace_id = ? AND status IS NOT NULL")
    .pluck();
  const count = db.prepare<[], number>("SELECT count(*) FROM lead_view WHERE body IS NOT NULL").pluck();
  const after = db.prepare<[number, number], ChangeRow>(SELECT_CHANGES);
  const ofWorkspace = db.prepare<[string, number, number], ChangeRow>(SELECT_WORKSPACE_CHANGES);
  const change = db.prepare<[string], ChangeRow>(SELECT_CHANGE);
  const firstBehind = db
    .prepare<[number], number | null>("SELECT min(number) FROM lead_view WHERE number > ?")
    .pluck();
  const lowest = db.prepare<[], number | null>("SELECT min(number) FROM lead_view").pluck();
  const waiting = db.prepare<[number], number>("SELECT count(*) FROM lead_view WHERE number > ?").pluck();
  const waitingOf = db
    .prepare<[string, number], number>("SELECT count(*) FROM lead_view WHERE workspace_id = ? AND number > ?")
    .pluck();
  const values = (row: ViewRow) => [
    row.workspaceId,
    row.number,
    row.status,
    row.sectionNumbers,
    row.sectionEnds,
    row.sectionHashes,
    row.traceparent,
    row.urlSlots,
    row.body,
  ];
  return {
    get: (leadId: string): ViewRow | undefined => get.get(leadId),
    /** The number of a lead's latest change; undefined where there is no row, not even a tombstone. */
    number: (leadId: string): number | undefined => number.get(leadId),
    /** What the row says beside the body, and its number in the table. */
    head: (leadId: string): (ViewHead & { readonly row: number }) | undefined => head.get(leadId),
    /** @param rowNumber as `head` has it */
    update: (rowNumber: number, row: ViewRow): void => void update.run(...values(row), rowNumber),
    /** For a lead that has no row yet. */
    insert: (leadId: string, row: ViewRow): void => void insert.run(...values(row), leadId),
    /** Where it is not known whether the lead has a row. */
    put(leadId: string, row: ViewRow): void {
      const before = head.get(leadId);
      if (before) update.run(...values(row), before.row);
      else insert.run(...values(row), leadId);
    },
    /** Has a lead's change told again under another number, each section as changed. @returns false where there is no row */
    renumber: (leadId: string, number: number): boolean => renumber.run(number, leadId).changes === 1,
    /** The ids of the leads of a workspace that have a view. */
    leadsOf: (workspaceId: string): string[] => leadsOf.all(workspaceId),
    /** Views, without tombstones. */
    count: (): number => count.get() as number,
    /** The changes behind a number, in order. */
    after: (number: number, most: number): ChangeRow[] => after.all(number, most),
    /** The same of one workspace. */
    ofWorkspace: (workspaceId: string, number: number, most: number): ChangeRow[] =>
      ofWorkspace.all(workspaceId, number, most),
    /**
     * The same, but no more than so many bytes of views, or one view where that is larger.
     * @param workspaceId undefined = of all workspaces
     */
    within(number: number, most: number, mostBytes: number, workspaceId?: string): ChangeRow[] {
      const rows: ChangeRow[] = [];
      let bytes = 0;
      const found =
        workspaceId === undefined
          ? after.iterate(number, most)
          : ofWorkspace.iterate(workspaceId, number, most);
      for (const row of found) {
        bytes += row.body?.length ?? 0;
        if (rows.length > 0 && bytes > mostBytes) break;
        rows.push(row);
      }
      return rows;
    },
    /** A lead's latest change. */
    change: (leadId: string): ChangeRow | undefined => change.get(leadId),
    /** The number of the first change behind a number; undefined where there is none. */
    firstBehind: (number: number): number | undefined => firstBehind.get(number) ?? undefined,
    /** The lowest number that a lead has; undefined where there are none. */
    lowestNumber: (): number | undefined => lowest.get() ?? undefined,
    /** How many changes stand behind a number. */
    waiting: (number: number): number => waiting.get(number) as number,
    /** The same of one workspace. */
    waitingOf: (workspaceId: string, number: number): number => waitingOf.get(workspaceId, number) as number,
  };
}
