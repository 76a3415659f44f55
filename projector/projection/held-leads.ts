import type { AssembledView } from "../assemble/body.ts";
import { emptyPart } from "../fold/lead-part.ts";
import type { LeftKeys } from "./folded-batch.ts";
import { decodePieces, type WholePart } from "./pieces.ts";
import { noLogs, type OlderLogs } from "./recent-logs.ts";

/** One workspace's part of a lead, as stored and as folded since. */
export interface HeldPart extends WholePart {
  readonly older: OlderLogs;
  /** False where nothing is stored, or on its way, of it. */
  isStored: boolean;
  /** True where something came since the last batch. */
  changed: boolean;
  /** The view as it was handed over last; undefined where that is not known. */
  view: AssembledView | undefined;
}

/** A lead in memory, with what was folded into it since the last batch. */
export interface HeldLead {
  readonly leadId: string;
  /** "before" = was erased in an earlier batch, "now" = in this one. */
  erased: false | "before" | "now";
  /** Records that came after the erase. */
  dropped: number;
  /** The workspace that created the lead; null = none yet. */
  owner: string | null;
  /** True where that came about since the last batch. */
  isOwnerNew: boolean;
  readonly parts: Map<string, HeldPart>;
  /** The trace of the latest event (W3C Trace Context); null where it came with none. */
  traceparent: string | null;
  /** True where what is folded is all there is: what is stored of the lead gives way to it. */
  replaces: boolean;
  /** See FoldedLead; since the last batch. */
  left: LeftKeys[];
  /** True where it waits for the next batch. */
  changed: boolean;
  /** Batches with it that were taken and are not settled. */
  unsettled: number;
  /** About the bytes of memory that it takes. */
  bytes: number;
}

/** Reads what is stored of leads. */
export interface LeadReader {
  load(leadId: string): StoredLead;
  older(leadId: string, workspaceId: string): OlderLogs;
}

export interface StoredLead {
  readonly isErased: boolean;
  readonly parts: readonly StoredPart[];
}

export interface StoredPart {
  readonly workspaceId: string;
  /** True for the part of the workspace that created the lead. */
  readonly isOwner: boolean;
  /** In the order of their numbers. */
  readonly pieces: readonly { readonly piece: number; readonly content: string }[];
}

/** A lead of which nothing was folded yet. */
export const emptyLead = (leadId: string, replaces = false): HeldLead => ({
  leadId,
  erased: false,
  left: [],
  dropped: 0,
  owner: null,
  isOwnerNew: false,
  parts: new Map(),
  traceparent: null,
  replaces,
  changed: false,
  unsettled: 0,
  bytes: LEAD_BYTES,
});

/** About what a lead in memory takes beside its texts. */
const LEAD_BYTES = 2_000;

/** Loads a lead as of the last commit. */
export function loadLead(reader: LeadReader, leadId: string): HeldLead {
  const { isErased, parts } = reader.load(leadId);
  const lead = emptyLead(leadId);
  if (isErased) lead.erased = "before";
  for (const { workspaceId, isOwner, pieces } of parts) {
    const whole = decodePieces(leadId, workspaceId, pieces);
    const older = reader.older(leadId, workspaceId);
    lead.parts.set(workspaceId, { ...whole, older, isStored: true, changed: false, view: undefined });
    if (isOwner) lead.owner = workspaceId;
  }
  measure(lead);
  return lead;
}

/** The part of a workspace, begun where it is the first time that the workspace speaks of the lead. */
export function partOf(reader: LeadReader, lead: HeldLead, workspaceId: string): HeldPart {
  const known = lead.parts.get(workspaceId);
  if (known) return known;
  const part: HeldPart = {
    part: emptyPart(lead.leadId, workspaceId),
    logs: noLogs(),
    seen: new Map(),
    partitions: new Set(),
    sizes: new Map(),
    older: reader.older(lead.leadId, workspaceId),
    isStored: false,
    changed: false,
    view: undefined,
  };
  lead.parts.set(workspaceId, part);
  return part;
}

/** A text stands as fields, as itself and in the view; an object takes about twice its text. */
const BYTES_A_CHARACTER = 4;

export function measure(lead: HeldLead): void {
  lead.bytes = LEAD_BYTES;
  for (const { sizes, view } of lead.parts.values()) {
    for (const size of sizes.values()) lead.bytes += size * BYTES_A_CHARACTER;
    lead.bytes += view?.body.length ?? 0;
  }
}

/** Reads nothing, for leads that are folded from their first event on. */
export const NOTHING_STORED: LeadReader = {
  load: () => ({ isErased: false, parts: [] }),
  older: () => NO_OLDER_LOGS,
};

const NO_OLDER_LOGS: OlderLogs = { get: () => undefined, recent: () => [], first: () => [], last: () => [] };
