import type { ActionLog } from "../fold/action-log.ts";
import type { Identity } from "../fold/identity.ts";
import { decodePart, emptyPart, type LeadPart } from "../fold/lead-part.ts";
import { decodeSeen, type Marks } from "../fold/seen-events.ts";
import type { Store } from "../store/store.ts";
import { identityOfRow } from "./matching.ts";

/** One workspace's part of a lead, as stored and as folded since. */
export interface PendingPart {
  /** The stored row's number; undefined where nothing is stored yet. */
  readonly no: number | undefined;
  part: LeadPart;
  /** The logs that were folded since. */
  readonly logs: Map<string, ActionLog>;
  /** By topic, the events that it saw lately (rule: repeats). */
  readonly seen: Map<string, Marks>;
  changed: boolean;
}

/** A lead with what was folded into it since the last commit. */
export interface PendingLead {
  readonly leadId: string;
  /** "before" = was erased in an earlier commit, "now" = in this one. */
  erased: false | "before" | "now";
  /** Records that came after the erase. */
  dropped: number;
  /** The workspace that created the lead; null = none yet. */
  owner: string | null;
  /** The owner as of the last commit. */
  readonly storedOwner: string | null;
  /** The identity as of the last commit; null = none, since the lead was not created. */
  readonly storedIdentity: Identity | null;
  readonly parts: Map<string, PendingPart>;
  /** The trace of the latest event (W3C Trace Context); null where it came with none. */
  traceparent: string | null;
  /** True where what is pending is all there is: what is stored of the lead gives way to it. */
  readonly replaces?: true;
}

/** A lead of which nothing was folded yet. */
export const emptyLead = (leadId: string): PendingLead => ({
  leadId,
  erased: false,
  dropped: 0,
  owner: null,
  storedOwner: null,
  storedIdentity: null,
  parts: new Map(),
  traceparent: null,
});

/** Loads a lead's state as of the last commit. */
export function loadLead(store: Store, leadId: string): PendingLead {
  const rows = store.leads.load(leadId);
  const lead = emptyLead(leadId);
  if (rows.length === 0) {
    if (store.erased.has(leadId)) lead.erased = "before";
    return lead;
  }
  const owner = rows.find((row) => row.owner === 1)?.workspaceId ?? null;
  const identity = owner === null ? undefined : store.identities.get(leadId);
  for (const { no, workspaceId, state, seen } of rows) {
    const part = decodePart(leadId, workspaceId, state);
    lead.parts.set(workspaceId, { no, part, logs: new Map(), seen: decodeSeen(seen), changed: false });
  }
  return { ...lead, owner, storedOwner: owner, storedIdentity: identity ? identityOfRow(identity) : null };
}

/** The part of a workspace, begun where it is the first time that the workspace speaks of the lead. */
export function partOf(lead: PendingLead, workspaceId: string): PendingPart {
  const known = lead.parts.get(workspaceId);
  if (known) return known;
  const part: PendingPart = {
    no: undefined,
    part: emptyPart(lead.leadId, workspaceId),
    logs: new Map(),
    seen: new Map(),
    changed: false,
  };
  lead.parts.set(workspaceId, part);
  return part;
}

/** A lead to be folded again from its first event on; what is stored gives way at the commit. */
export function refoldedLead(store: Store, leadId: string): PendingLead {
  const stored = loadLead(store, leadId);
  const parts = [...stored.parts].map(([workspaceId, { no }]): [string, PendingPart] => [
    workspaceId,
    { no, part: emptyPart(leadId, workspaceId), logs: new Map(), seen: new Map(), changed: false },
  ]);
  return { ...stored, owner: null, parts: new Map(parts), replaces: true };
}
