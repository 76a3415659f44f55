import type { Connection } from "../shared/sqlite.ts";
import { Status } from "../shared/view/lead-view.ts";

/** What leads are looked for by; what is undefined does not matter. */
export interface LeadQuery {
  readonly workspaceId: string;
  readonly externalLeadId: string | undefined;
  /** As `emailKey` has it. */
  readonly emailKey: string | undefined;
  /** As `phoneKey` has it. */
  readonly phoneKey: string | undefined;
  readonly status: string | undefined;
  /** Only leads whose latest change has a lower number. */
  readonly before: number;
  readonly limit: number;
}

export interface FoundLead {
  /** Of its latest change. */
  readonly number: number;
  /** The view's first bytes: its fields `lead` and `status`, without the closing brace. */
  readonly head: Buffer;
}

/** Finds leads, newest change first, each kind of query by its index. */
export type FindLeads = (query: LeadQuery) => FoundLead[];

const COLUMNS = "v.number, substr(v.body, 1, json_extract(v.section_ends, '$[1]')) AS head";
const IDENTITIES = {
  externalLeadId: "i.external_lead_id",
  emailKey: "i.email_key",
  phoneKey: "i.phone_key",
} as const;
const IDENTITY_NAMES = Object.keys(IDENTITIES) as (keyof typeof IDENTITIES)[];

export function createFindLeads(db: Connection): FindLeads {
  const statements = new Map<string, { all(query: LeadQuery): unknown[] }>();
  return (query) => {
    const by = IDENTITY_NAMES.filter((name) => query[name] !== undefined);
    const kind = [...by, query.status === undefined ? "any" : "status"].join(" ");
    let statement = statements.get(kind);
    if (statement === undefined) {
      statement = db.prepare(by.length > 0 ? byIdentity(by, query) : byStatus(query));
      statements.set(kind, statement);
    }
    return statement.all(query) as FoundLead[];
  };
}

/** The rows' own fields are read where it is known which rows they are. */
const readIn = (ids: string): string =>
  `SELECT ${COLUMNS} FROM lead_view v WHERE v.rowid IN (${ids}) ORDER BY v.number DESC`;

/** From the identities to their leads, in this order: CROSS JOIN and + keep SQLite from going through the workspace's. */
const byIdentity = (by: readonly (keyof typeof IDENTITIES)[], { status }: LeadQuery): string =>
  readIn(`SELECT v.rowid FROM lead_identity i CROSS JOIN lead_view v ON v.lead_id = i.lead_id
    WHERE i.workspace_id = :workspaceId AND ${by.map((name) => `${IDENTITIES[name]} = :${name}`).join(" AND ")}
      AND +v.workspace_id = :workspaceId AND +v.number < :before
      AND +v.status ${status === undefined ? "IS NOT NULL" : "= :status"}
    ORDER BY v.number DESC LIMIT :limit`);

/** One range of the index for each status, merged; the rows are then read by their rowid. */
const byStatus = ({ status }: LeadQuery): string => {
  const statuses = status === undefined ? Status.literals.map((one) => `'${one}'`) : [":status"];
  const ranges = statuses.map(
    (one) => `SELECT * FROM (SELECT rowid AS id, number FROM lead_view
      WHERE workspace_id = :workspaceId AND status = ${one} AND number < :before ORDER BY number DESC LIMIT :limit)`,
  );
  return readIn(`SELECT id FROM (${ranges.join(" UNION ALL ")}) ORDER BY number DESC LIMIT :limit`);
};
