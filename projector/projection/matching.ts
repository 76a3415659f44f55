import { type MatchingLead, MOST_SHARED, renderMatchingLeads } from "../assemble/matching-leads.ts";
import { type Identity, sameIdentity } from "../fold/identity.ts";
import { byTimeThenId } from "../fold/order.ts";
import type { IdentityRow, MemberRow } from "../store/identities.ts";
import type { Store } from "../store/store.ts";
import type { FoldedLead, LeftKeys } from "./folded-batch.ts";

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

/** What a batch changes of who matches whom. */
export interface MatchingChange {
  /** The ids of the leads whose matches may be others now. */
  readonly stale: Set<string>;
  /** Of these the ones that are known to share nothing with anybody. */
  readonly alone: ReadonlySet<string>;
}

/** A shared identity that a batch touches, and the leads of the batch that come to it, or that it lacked for a while. */
interface TouchedKey {
  readonly key: IdentityKey;
  readonly joining: Set<string>;
}

/**
 * Stores the identities that a batch changes.
 * @param mayRepeat true where views may tell of identities that leads had on the way, or may not: whoever shares any is stale
 */
export function writeIdentities(
  store: Store,
  leads: readonly FoldedLead[],
  mayRepeat: boolean,
): MatchingChange {
  const stale = new Set<string>();
  const touched = new Map<string, TouchedKey>();
  const touch = (key: IdentityKey): TouchedKey => {
    const name = nameOf(key);
    const known = touched.get(name);
    if (known) return known;
    const made = { key, joining: new Set<string>() };
    touched.set(name, made);
    return made;
  };
  for (const lead of leads) {
    // While it was away, a placeholder may have been none.
    if (mayRepeat) for (const key of lead.left.flatMap(keysOf)) touch(key).joining.add(lead.leadId);
    if (lead.identity === undefined && !lead.erased && !lead.replaces) continue;
    const { leadId } = lead;
    const before = storedIdentity(store, leadId);
    const after = identityAfter(lead);
    if (before?.workspaceId === after?.workspaceId && sameIdentity(identityIn(before), identityIn(after)))
      continue;
    const keysBefore = before ? keysOfOwned(before) : [];
    const namesBefore = new Set(keysBefore.map(nameOf));
    for (const key of keysBefore) touch(key);
    for (const key of after ? keysOfOwned(after) : [])
      if (!namesBefore.has(nameOf(key))) touch(key).joining.add(leadId);
      else touch(key);
    if (after) {
      stale.add(leadId);
      store.identities.put(leadId, after.workspaceId, identityRow(after.identity));
    } else {
      store.identities.remove(leadId);
    }
  }
  const alone = new Set(stale);
  for (const one of touched.values()) {
    const members = membersNowOrBefore(store, one);
    if (members.length > 1) for (const id of members) alone.delete(id);
    for (const id of members) stale.add(id);
  }
  return { stale, alone };
}

/**
 * The leads that share an identity, or shared it before the batch. Those that it left are the batch's own; and a placeholder,
 * which too many share, connects nobody, but those that it connected until now.
 */
function membersNowOrBefore(
  { identities }: Store,
  { key: { kind, workspaceId, key }, joining }: TouchedKey,
): string[] {
  const most = MOST_SHARED + joining.size;
  const ids = identities.ids(kind, workspaceId, key, most + 1);
  return ids.length > most ? [] : ids;
}

function identityAfter({ identity, owner, erased }: FoldedLead): OwnedIdentity | undefined {
  return identity && owner !== null && !erased ? { workspaceId: owner, identity } : undefined;
}

function storedIdentity({ identities }: Store, leadId: string): OwnedIdentity | undefined {
  const row = identities.get(leadId);
  return row && { workspaceId: row.workspaceId, identity: identityOfRow(row) };
}

const identityIn = (owned: OwnedIdentity | undefined): Identity | null => owned?.identity ?? null;

export const identityRow = (identity: Identity): IdentityRow => ({
  ...identity,
  matchable: identity.matchable ? 1 : 0,
  matches: identity.matches ? 1 : 0,
});

const identityOfRow = (row: IdentityRow): Identity => ({
  ...row,
  matchable: row.matchable === 1,
  matches: row.matches === 1,
});

/** Says what a lead's view lists of the leads that share an identity with it: JSON. */
export type MatchingOf = (leadId: string) => string;

/**
 * Matches leads as of now: who shares an identity is asked once, however many of them it is asked for.
 * @param alone leads that are known to share nothing with anybody
 */
export function createMatching(store: Store, alone: ReadonlySet<string> = new Set()): MatchingOf {
  const known = new Map<string, readonly MemberRow[]>();
  const membersOf = (key: IdentityKey): readonly MemberRow[] => {
    const name = nameOf(key);
    const members = known.get(name) ?? sharingOf(store, key);
    known.set(name, members);
    return members;
  };
  return (leadId) => {
    if (alone.has(leadId)) return "[]";
    const owned = storedIdentity(store, leadId);
    if (!owned?.identity.matches) return "[]";
    const found = new Map<string, MatchingLead & { matchedOn: IdentityKey["kind"][] }>();
    for (const key of keysOfOwned(owned)) {
      for (const { id, createdAt, matchable, card } of membersOf(key)) {
        const other = found.get(id);
        if (other) other.matchedOn.push(key.kind);
        else found.set(id, { id, createdAt, matchable: matchable === 1, card, matchedOn: [key.kind] });
      }
    }
    return renderMatchingLeads(leadId, [...found.values()]);
  };
}

/** The ids of all leads whose views may list another one. */
export const sharingLeads = ({ identities }: Store): string[] => identities.sharing(MOST_SHARED);

/** What one lead's view lists: see `createMatching`. */
export const matchingLeads = (store: Store, leadId: string): string => createMatching(store)(leadId);

/** None where more than `MOST_SHARED` leads share it: a placeholder matches nobody. */
function sharingOf({ identities }: Store, { kind, workspaceId, key }: IdentityKey): MemberRow[] {
  const rows = identities.members(kind, workspaceId, key, MOST_SHARED + 1);
  if (rows.length > MOST_SHARED) return [];
  // In the order of the view, so that to sort them for each of them costs a look.
  return rows.sort((a, b) => byTimeThenId(a.createdAt, a.id, b.createdAt, b.id));
}

/** The identities of a lead: e-mail first, as the view names them. */
function keysOf({ workspaceId, emailKey, phoneKey }: LeftKeys): IdentityKey[] {
  const keys: IdentityKey[] = [];
  if (emailKey !== null) keys.push({ kind: "email", workspaceId, key: emailKey });
  if (phoneKey !== null) keys.push({ kind: "phoneNumber", workspaceId, key: phoneKey });
  return keys;
}

const keysOfOwned = ({ workspaceId, identity: { emailKey, phoneKey } }: OwnedIdentity): IdentityKey[] =>
  keysOf({ workspaceId, emailKey, phoneKey });

const nameOf = ({ kind, workspaceId, key }: IdentityKey): string => `${kind} ${workspaceId} ${key}`;
