import type { ActionLog } from "../fold/action-log.ts";
import { emptyPart, type LeadPart } from "../fold/lead-part.ts";
import { decodeSeen, type Marks } from "../fold/seen-events.ts";
import type { StoredPart } from "../store/leads.ts";
import type { Store } from "../store/store.ts";

/** One workspace's part of a lead, as stored and as folded since. */
export interface PendingPart {
  /** Undefined where nothing is stored yet. */
  readonly stored: StoredPart | undefined;
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
  parts: new Map(),
  traceparent: null,
});

/** Loads a lead's state as of the last commit. */
export function loadLead(store: Store, leadId: string): PendingLead {
  const lead = emptyLead(leadId);
  for (const stored of store.leads.load(leadId)) {
    if (stored.owner) lead.owner = stored.part.workspaceId;
    const seen = new Map(decodeSeen(stored.seen));
    lead.parts.set(stored.part.workspaceId, {
      stored,
      part: stored.part,
      logs: new Map(),
      seen,
      changed: false,
    });
  }
  if (lead.parts.size === 0 && store.leads.isErased(leadId)) lead.erased = "before";
  return lead;
}

/** The part of a workspace, begun where it is the first time that the workspace speaks of the lead. */
export function partOf(lead: PendingLead, workspaceId: string): PendingPart {
  const known = lead.parts.get(workspaceId);
  if (known) return known;
  const part: PendingPart = {
    stored: undefined,
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
  const parts = [...stored.parts].map(([workspaceId, part]): [string, PendingPart] => [
    workspaceId,
    {
      stored: part.stored,
      part: emptyPart(leadId, workspaceId),
      logs: new Map(),
      seen: new Map(),
      changed: false,
    },
  ]);
  return { ...stored, owner: null, parts: new Map(parts), replaces: true };
}
