import type { Connection } from "../../shared/sqlite.ts";

/** A lead's row of which the topic of views has said nothing since it is read anew. */
export interface UnconfirmedRow {
  readonly leadId: string;
  readonly workspaceId: string;
  readonly number: number;
}

/** The leads that a replica has and has not read of since it reads the topic of views anew. */
export function createUnconfirmed(db: Connection) {
  const any = db.prepare<[], unknown>("SELECT 1 FROM unconfirmed LIMIT 1");
  const addAll = db.prepare(
    "INSERT OR IGNORE INTO unconfirmed SELECT lead_id FROM lead_view WHERE body IS NOT NULL",
  );
  const remove = db.prepare<[string]>("DELETE FROM unconfirmed WHERE lead_id = ?");
  const upTo = db.prepare<[number, number], UnconfirmedRow>(
    `SELECT v.lead_id AS leadId, v.workspace_id AS workspaceId, v.number FROM unconfirmed u
     JOIN lead_view v ON v.lead_id = u.lead_id WHERE v.number <= ? LIMIT ?`,
  );
  let maybeAny = true;
  return {
    /** All that have a view are unconfirmed from now on. */
    addAll(): void {
      addAll.run();
      maybeAny = true;
    },
    /** True where there are some, or may be. */
    any: (): boolean => maybeAny,
    confirm(leadId: string): void {
      if (maybeAny) remove.run(leadId);
    },
    /** Those whose change is no later than a number, at most so many. */
    upTo(number: number, most: number): UnconfirmedRow[] {
      if (!maybeAny) return [];
      maybeAny = any.get() !== undefined;
      return maybeAny ? upTo.all(number, most) : [];
    },
  };
}
