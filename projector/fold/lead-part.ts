import { parseJson } from "../../shared/events/exact-json.ts";
import {
  Document,
  Group as GroupView,
  Item as ItemView,
  Link as LinkView,
} from "../../shared/view/lead-view.ts";
import { type Fields, type Shape, shapeOf } from "./entity.ts";

export type Item = Fields & { readonly id: string };
export type Group = Fields & { readonly id: string; readonly items: readonly Item[] };
export type StoredDocument = Fields & { readonly id: string; readonly storageKey?: string | null };
export type Link = Fields & {
  readonly id: string;
  readonly leadChecklistItemId: string;
  readonly documentId: string;
};

/**
 * What the events of one workspace said of one lead, without its action logs, which are folded one by one.
 * Only the part of the workspace that owns the lead is shown; others are kept (rule: one topic owns an entity).
 */
export interface LeadPart {
  readonly leadId: string;
  readonly workspaceId: string;
  /** The id of the lead.created event that the record stands on; null = not created yet, so there is no view. */
  readonly createdBy: string | null;
  /** Those of the seed's 21 fields that were given, but for id and workspaceId. */
  readonly record: Fields;
  /** What else the events said of the lead: kept for a later contract, not shown. */
  readonly extra: Fields;
  /** Told by lead.completed and lead.reopened, never derived from the items. */
  readonly completed: boolean;
  readonly groups: readonly Group[];
  readonly documents: ReadonlyMap<string, StoredDocument>;
  readonly links: ReadonlyMap<string, Link>;
}

export const itemShape: Shape = shapeOf(ItemView, ["documents"]);
export const groupShape: Shape = shapeOf(GroupView, ["items"]);
export const documentShape: Shape = shapeOf(
  Document,
  ["signedUrl", "leadChecklistItemDocument"],
  ["storageKey"],
);
export const linkShape: Shape = shapeOf(LinkView);

export const emptyPart = (leadId: string, workspaceId: string): LeadPart => ({
  leadId,
  workspaceId,
  createdBy: null,
  record: {},
  extra: {},
  completed: false,
  groups: [],
  documents: new Map(),
  links: new Map(),
});

interface EncodedPart extends Omit<LeadPart, "leadId" | "workspaceId" | "documents" | "links"> {
  readonly documents: readonly StoredDocument[];
  readonly links: readonly Link[];
}

/** The part as the JSON that the store keeps. */
export function encodePart(part: LeadPart): string {
  const { createdBy, record, extra, completed, groups } = part;
  const documents = [...part.documents.values()];
  const links = [...part.links.values()];
  return JSON.stringify({ createdBy, record, extra, completed, groups, documents, links });
}

/** The inverse of `encodePart`. */
export function decodePart(leadId: string, workspaceId: string, text: string): LeadPart {
  const { documents, links, ...rest } = parseJson(text) as EncodedPart;
  return { leadId, workspaceId, ...rest, documents: byId(documents), links: byId(links) };
}

const byId = <T extends { readonly id: string }>(entities: readonly T[]): ReadonlyMap<string, T> =>
  new Map(entities.map((entity) => [entity.id, entity]));
