import { type MatchingLead, MOST_SHARED, renderMatchingLeads } from "../assemble/matching-leads.ts";
import { type Identity, sameIdentity } from "../fold/identity.ts";
import type { IdentityRow, MemberRow } from "../store/identities.ts";
import type { Store } from "../store/store.ts";
import type { FoldedLead } from "./folded-batch.ts";

// Matching crosses leads, so it is the writer's: it knows the identities of all, and puts the section `matchingLeads` into
// views that are finished but for it. A change of one lead's identity touches that section of others' stored views, and
// nothing else of them: no state is read, nothing is folded.

/** One shared identity of a workspace: an e-mail address or a phone number, normalized. */
interface IdentityKey {
  readonly kind: "email" | "phoneNumber";
  readonly workspaceId: string;
  readonly key: string;
}

interface OwnedIdentity {
  readonly workspaceId: string;
  readonly identity: Identity;
}

/**
 * Stores the identities that a batch changes.
 * @returns the ids of the leads whose matches may be others now
 */
export function writeIdentities(store: Store, leads: readonly FoldedLead[]): Set<string> {
  const stale = new Set<string>();
  const keys = new Map<string, IdentityKey>();
  const puts: (() => void)[] = [];
  for (const lead of leads) {
    if (lead.identity === undefined && !lead.erased && !lead.replaces) continue;
    const { leadId } = lead;
    const before = storedIdentity(store, leadId);
    const after = identityAfter(lead);
    if (before?.workspaceId === after?.workspaceId && sameIdentity(identityIn(before), identityIn(after)))
      continue;
    if (after) stale.add(leadId);
    for (const owned of [before, after])
      if (owned) for (const key of keysOf(owned)) keys.set(nameOf(key), key);
    puts.push(() => {
      if (after) store.identities.put(leadId, after.workspaceId, identityRow(after.identity));
      else store.identities.remove(leadId);
    });
  }
  // Those that it was shared with, and those that it is shared with: a placeholder is shared with nobody.
  const addMembers = () => {
    for (const key of keys.values()) {
      const ids = store.identities.ids(key.kind, key.workspaceId, key.key, MOST_SHARED + 1);
      if (ids.length <= MOST_SHARED) for (const id of ids) stale.add(id);
    }
  };
  addMembers();
  for (const put of puts) put();
  addMembers();
  return stale;
}

function identityAfter({ identity, owner, erased }: FoldedLead): OwnedIdentity | undefined {
  return identity && owner !== null && !erased ? { workspaceId: owner, identity } : undefined;
}

function storedIdentity({ identities }: Store, leadId: string): OwnedIdentity | undefined {
  const row = identities.get(leadId);
  return row && { workspaceId: row.workspaceId, identity: identityOfRow(row) };
}

const identityIn = (owned: OwnedIdentity | undefined): Identity | null => owned?.identity ?? null;

const identityRow = (identity: Identity): IdentityRow => ({
  ...identity,
  matchable: identity.matchable ? 1 : 0,
  matches: identity.matches ? 1 : 0,
});

const identityOfRow = (row: IdentityRow): Identity => ({
  ...row,
  matchable: row.matchable === 1,
  matches: row.matches === 1,
});

/** None where more than `MOST_SHARED` leads share it: a placeholder matches nobody. */
function membersOf({ identities }: Store, { kind, workspaceId, key }: IdentityKey): MemberRow[] {
  const rows = identities.members(kind, workspaceId, key, MOST_SHARED + 1);
  return rows.length > MOST_SHARED ? [] : rows;
}

/** What a lead's view lists of the leads that share an identity with it: JSON. */
export function matchingLeads(store: Store, leadId: string): string {
  const owned = storedIdentity(store, leadId);
  if (!owned?.identity.matches) return "[]";
  const found = new Map<string, MatchingLead & { matchedOn: IdentityKey["kind"][] }>();
  for (const key of keysOf(owned)) {
    for (const { id, createdAt, matchable, card } of membersOf(store, key)) {
      const other = found.get(id);
      if (other) other.matchedOn.push(key.kind);
      else found.set(id, { id, createdAt, matchable: matchable === 1, card, matchedOn: [key.kind] });
    }
  }
  return renderMatchingLeads(leadId, [...found.values()]);
}

/** The identities of a lead: e-mail first, as the view names them. */
function keysOf({ workspaceId, identity: { emailKey, phoneKey } }: OwnedIdentity): IdentityKey[] {
  const keys: IdentityKey[] = [];
  if (emailKey !== null) keys.push({ kind: "email", workspaceId, key: emailKey });
  if (phoneKey !== null) keys.push({ kind: "phoneNumber", workspaceId, key: phoneKey });
  return keys;
}

const nameOf = ({ kind, workspaceId, key }: IdentityKey): string => `${kind} ${workspaceId} ${key}`;
