import { type MatchingLead, MOST_SHARED } from "../assemble/matching-leads.ts";
import type { Identity } from "../fold/identity.ts";
import type { IdentityRow, MemberRow } from "../store/identities.ts";
import type { Store } from "../store/store.ts";

/** One shared identity of a workspace: an e-mail address or a phone number, normalized. */
export interface IdentityKey {
  readonly kind: "email" | "phoneNumber";
  readonly workspaceId: string;
  readonly key: string;
}

export const identityRow = (identity: Identity): IdentityRow => ({
  ...identity,
  matchable: identity.matchable ? 1 : 0,
});

export const identityOfRow = (row: IdentityRow): Identity => ({ ...row, matchable: row.matchable === 1 });

/** None where more than `MOST_SHARED` leads share it: a placeholder matches nobody. */
function membersOf({ identities }: Store, { kind, workspaceId, key }: IdentityKey): MemberRow[] {
  const rows = identities.members(kind, workspaceId, key, MOST_SHARED + 1);
  return rows.length > MOST_SHARED ? [] : rows;
}

/** The ids of the leads that an identity connects. */
export const memberIds = (store: Store, key: IdentityKey): string[] =>
  membersOf(store, key).map(({ id }) => id);

/** All created leads that share an identity with this one, itself among them. */
export function matchingLeads(store: Store, workspaceId: string, identity: Identity): MatchingLead[] {
  const found = new Map<string, MemberRow & { matchedOn: IdentityKey["kind"][] }>();
  for (const key of keysOf(workspaceId, identity)) {
    for (const row of membersOf(store, key)) {
      const other = found.get(row.id);
      if (other) other.matchedOn.push(key.kind);
      else found.set(row.id, { ...row, matchedOn: [key.kind] });
    }
  }
  return [...found.values()].map(({ id, createdAt, matchable, card, matchedOn }) => ({
    id,
    identity: { createdAt, matchable: matchable === 1, card },
    matchedOn,
  }));
}

/** The identities of a lead: e-mail first, as the view names them. */
export function keysOf(workspaceId: string, { emailKey, phoneKey }: Identity): IdentityKey[] {
  const keys: IdentityKey[] = [];
  if (emailKey !== null) keys.push({ kind: "email", workspaceId, key: emailKey });
  if (phoneKey !== null) keys.push({ kind: "phoneNumber", workspaceId, key: phoneKey });
  return keys;
}
