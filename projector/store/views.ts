import type { Connection } from "../../shared/sqlite.ts";
import {
  type ChangeRow,
  SELECT_CHANGE,
  SELECT_CHANGES,
  SELECT_WORKSPACE_CHANGES,
} from "../../shared/view/change.ts";

/** A view as its row has it; a tombstone has neither status nor body. */
export interface ViewRow {
  readonly workspaceId: string;
  readonly number: number;
  readonly status: string | null;
  readonly sectionNumbers: string;
  readonly sectionEnds: string;
  readonly traceparent: string | null;
  readonly urlSlots: string | null;
  readonly body: Buffer | null;
}

/** The rows that the API reads, which are the outbox too: one row a lead, under the number of its latest change. */
export function createViews(db: Connection) {
  const get = db.prepare<[string], ViewRow>(
    `SELECT workspace_id AS workspaceId, number, status, section_numbers AS sectionNumbers,
       section_ends AS sectionEnds, traceparent, url_slots AS urlSlots, body FROM lead_view WHERE lead_id = ?`,
  );
  const number = db.prepare<[string], number>("SELECT number FROM lead_view WHERE lead_id = ?").pluck();
  const put = db.prepare(
    `INSERT INTO lead_view (lead_id, workspace_id, number, status, section_numbers, section_ends, traceparent, url_slots, body)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (lead_id) DO UPDATE SET workspace_id = excluded.workspace_id, number = excluded.number,
       status = excluded.status, section_numbers = excluded.section_numbers, section_ends = excluded.section_ends,
       traceparent = excluded.traceparent, url_slots = excluded.url_slots, body = excluded.body`,
  );
  const insert = db.prepare(
    `INSERT INTO lead_view (lead_id, workspace_id, number, status, section_numbers, section_ends, traceparent, url_slots, body)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const count = db.prepare<[], number>("SELECT count(*) FROM lead_view WHERE body IS NOT NULL").pluck();
  const after = db.prepare<[number, number], ChangeRow>(SELECT_CHANGES);
  const ofWorkspace = db.prepare<[string, number, number], ChangeRow>(SELECT_WORKSPACE_CHANGES);
  const change = db.prepare<[string], ChangeRow>(SELECT_CHANGE);
  const firstBehind = db
    .prepare<[number], number | null>("SELECT min(number) FROM lead_view WHERE number > ?")
    .pluck();
  const waiting = db.prepare<[number], number>("SELECT count(*) FROM lead_view WHERE number > ?").pluck();
  const waitingOf = db
    .prepare<[string, number], number>("SELECT count(*) FROM lead_view WHERE workspace_id = ? AND number > ?")
    .pluck();
  const values = (leadId: string, row: ViewRow) => [
    leadId,
    row.workspaceId,
    row.number,
    row.status,
    row.sectionNumbers,
    row.sectionEnds,
    row.traceparent,
    row.urlSlots,
    row.body,
  ];
  return {
    get: (leadId: string): ViewRow | undefined => get.get(leadId),
    /** The number of a lead's latest change; undefined where there is no row, not even a tombstone. */
    number: (leadId: string): number | undefined => number.get(leadId),
    put: (leadId: string, row: ViewRow): void => void put.run(...values(leadId, row)),
    /** The same for a lead that is known to have no row yet. */
    insert: (leadId: string, row: ViewRow): void => void insert.run(...values(leadId, row)),
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
    /** How many changes stand behind a number. */
    waiting: (number: number): number => waiting.get(number) as number,
    /** The same of one workspace. */
    waitingOf: (workspaceId: string, number: number): number => waitingOf.get(workspaceId, number) as number,
  };
}
