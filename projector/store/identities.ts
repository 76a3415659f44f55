import type { Connection } from "../../shared/sqlite.ts";

/** What a created lead is found and matched by. */
export interface IdentityRow {
  readonly externalLeadId: string | null;
  readonly emailKey: string | null;
  readonly phoneKey: string | null;
  readonly createdAt: string | null;
  /** 0 for a deleted or a test lead. */
  readonly matchable: number;
  /** 0 for a test lead. */
  readonly matches: number;
  /** What other leads' views say of it. */
  readonly card: string;
}

export interface MemberRow {
  readonly id: string;
  readonly createdAt: string | null;
  readonly matchable: number;
  readonly card: string;
}

export function createIdentities(db: Connection) {
  const get = db.prepare<[string], IdentityRow & { readonly workspaceId: string }>(
    `SELECT workspace_id AS workspaceId, external_lead_id AS externalLeadId, email_key AS emailKey, phone_key AS phoneKey, created_at AS createdAt,
       matchable, matches, card FROM lead_identity WHERE lead_id = ?`,
  );
  const put = db.prepare(
    `INSERT INTO lead_identity VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (lead_id) DO UPDATE SET workspace_id = excluded.workspace_id,
       external_lead_id = excluded.external_lead_id, email_key = excluded.email_key, phone_key = excluded.phone_key,
       created_at = excluded.created_at, matchable = excluded.matchable, matches = excluded.matches, card = excluded.card`,
  );
  const remove = db.prepare<[string]>("DELETE FROM lead_identity WHERE lead_id = ?");
  const members = (column: "email_key" | "phone_key") =>
    db.prepare<[string, string, number], MemberRow>(
      `SELECT lead_id AS id, created_at AS createdAt, matchable, card FROM lead_identity
       WHERE workspace_id = ? AND ${column} = ? LIMIT ?`,
    );
  const shared = (column: "email_key" | "phone_key") =>
    `SELECT i.lead_id FROM lead_identity i JOIN (
       SELECT workspace_id, ${column} AS shared FROM lead_identity WHERE ${column} IS NOT NULL
       GROUP BY workspace_id, ${column} HAVING count(*) BETWEEN 2 AND ?
     ) s ON s.workspace_id = i.workspace_id AND i.${column} = s.shared`;
  const sharing = db
    .prepare<[number, number], string>(`${shared("email_key")} UNION ${shared("phone_key")}`)
    .pluck();
  const ids = (column: "email_key" | "phone_key") =>
    db
      .prepare<[string, string, number], string>(
        `SELECT lead_id FROM lead_identity WHERE workspace_id = ? AND ${column} = ? LIMIT ?`,
      )
      .pluck();
  const idsByKind = { email: ids("email_key"), phoneNumber: ids("phone_key") };
  const byKind = { email: members("email_key"), phoneNumber: members("phone_key") };
  return {
    get: (leadId: string): (IdentityRow & { readonly workspaceId: string }) | undefined => get.get(leadId),
    put(leadId: string, workspaceId: string, identity: IdentityRow): void {
      const { externalLeadId, emailKey, phoneKey, createdAt, matchable, matches, card } = identity;
      put.run(leadId, workspaceId, externalLeadId, emailKey, phoneKey, createdAt, matchable, matches, card);
    },
    remove: (leadId: string): void => void remove.run(leadId),
    /** The ids of all leads that share a key with another one, and with no more than so many. */
    sharing: (most: number): string[] => sharing.all(most, most),
    /** The created leads of a workspace that share a key. */
    members: (kind: "email" | "phoneNumber", workspaceId: string, key: string, most: number): MemberRow[] =>
      byKind[kind].all(workspaceId, key, most),
    /** Their ids. */
    ids: (kind: "email" | "phoneNumber", workspaceId: string, key: string, most: number): string[] =>
      idsByKind[kind].all(workspaceId, key, most),
  };
}
