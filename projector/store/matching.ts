import type { Connection } from "../../shared/sqlite.ts";
import { type MatchingLead, MOST_SHARED } from "../assemble/matching-leads.ts";
import type { Identity } from "../fold/identity.ts";

/** One shared identity of a workspace: an e-mail address or a phone number, normalized. */
export interface IdentityKey {
  readonly kind: "email" | "phoneNumber";
  readonly workspaceId: string;
  readonly key: string;
}

interface MemberRow {
  readonly id: string;
  readonly createdAt: string | null;
  readonly matchable: number;
  readonly card: string;
}

/** Finds the leads that share an identity. */
export function createMatching(db: Connection) {
  const members = (column: "email_key" | "phone_key") =>
    db.prepare<[string, string], MemberRow>(
      `SELECT lead_id AS id, created_at AS createdAt, matchable, card FROM lead
       WHERE workspace_id = ? AND ${column} = ? LIMIT ${MOST_SHARED + 1}`,
    );
  const byKind = { email: members("email_key"), phoneNumber: members("phone_key") };
  /** None where more than `MOST_SHARED` leads share it: a placeholder matches nobody. */
  const membersOf = ({ kind, workspaceId, key }: IdentityKey): MemberRow[] => {
    const rows = byKind[kind].all(workspaceId, key);
    return rows.length > MOST_SHARED ? [] : rows;
  };
  return {
    /** The ids of the leads that an identity connects. */
    memberIds: (key: IdentityKey): string[] => membersOf(key).map(({ id }) => id),
    /** All created leads that share an identity with this one, itself among them. */
    matchingLeads(workspaceId: string, identity: Identity): MatchingLead[] {
      const found = new Map<string, MemberRow & { matchedOn: IdentityKey["kind"][] }>();
      for (const key of keysOf(workspaceId, identity)) {
        for (const row of membersOf(key)) {
          const known = found.get(row.id);
          if (known) known.matchedOn.push(key.kind);
          else found.set(row.id, { ...row, matchedOn: [key.kind] });
        }
      }
      return [...found.values()].map(({ id, createdAt, matchable, card, matchedOn }) => ({
        id,
        identity: { createdAt, matchable: matchable === 1, card },
        matchedOn,
      }));
    },
  };
}

/** The identities of a lead: e-mail first, as the view names them. */
export function keysOf(workspaceId: string, { emailKey, phoneKey }: Identity): IdentityKey[] {
  const keys: IdentityKey[] = [];
  if (emailKey !== null) keys.push({ kind: "email", workspaceId, key: emailKey });
  if (phoneKey !== null) keys.push({ kind: "phoneNumber", workspaceId, key: phoneKey });
  return keys;
}
