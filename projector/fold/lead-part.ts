import { isObject } from "../../shared/events/exact-json.ts";
import {
  Document,
  Group as GroupView,
  Item as ItemView,
  Link as LinkView,
} from "../../shared/view/lead-view.ts";
import { type Fields, type Shape, shapeOf } from "./entity.ts";

export const itemShape: Shape = shapeOf(ItemView, ["documents"]);
export const groupShape: Shape = shapeOf(GroupView, ["items"]);
export const documentShape: Shape = shapeOf(
  Document,
  ["signedUrl", "leadChecklistItemDocument"],
  ["storageKey"],
);
export const linkShape: Shape = shapeOf(LinkView);

/**
 * One entity of a lead: its fields as its events gave them, merged and in no order, and what was made of them. Who changes
 * the fields puts `text` back to undefined.
 */
export interface Entity<F extends Fields = Fields> {
  readonly id: string;
  fields: F;
  /** The JSON text in the shape's order; undefined = not made yet. */
  text: string | undefined;
  /** The piece of the stored state that it stands in; NO_PIECE = none yet. */
  piece: number;
}

/** An entity that a view shows with what it is linked to. */
export interface ShownEntity<F extends Fields = Fields> extends Entity<F> {
  /** What the view shows of it (projector/assemble/shown.ts); undefined = not made since something of it changed. */
  shown: Shown | undefined;
}

/** Texts, with room for the URL of an object between each two. */
export interface Shown {
  readonly texts: readonly string[];
  /** One fewer than texts. */
  readonly storageKeys: readonly string[];
}

export const NO_PIECE = -1;

export interface Group {
  /** Without its items. */
  facts: Fields & { readonly id: string };
  items: readonly Item[];
}

export interface Item extends ShownEntity {
  /** The id of its group. */
  readonly groupId: string;
  /** Orders the items of a group. */
  readonly rank: number;
}

export type StoredDocument = ShownEntity<Fields & { readonly storageKey?: string | null }>;

/** What is shown of it is its document, as its item lists it. */
export interface Link extends ShownEntity {
  readonly itemId: string;
  readonly documentId: string;
}

/** What kind of event touched a part, since somebody looked last. */
export const TOUCHED = { record: 1, checklist: 2, documents: 4, logs: 8 } as const;

/**
 * What the events of one workspace said of one lead, without its action logs, which are folded one by one.
 * Only the part of the workspace that owns the lead is shown; others are kept (rule: one topic owns an entity).
 * It is changed in place: each event costs what it touches, not what there is (rule: cost).
 */
export interface LeadPart {
  readonly leadId: string;
  readonly workspaceId: string;
  /** The id of the lead.created event that the record stands on; null = not created yet, so there is no view. */
  createdBy: string | null;
  /** Those of the seed's 21 fields that were given, but for id and workspaceId. */
  record: Fields;
  /** What else the events said of the lead: kept for a later contract, not shown. */
  extra: Fields;
  /** Told by lead.completed and lead.reopened, never derived from the items. */
  completed: boolean;
  groups: readonly Group[];
  /** The items of all groups. */
  readonly items: Map<string, Item>;
  /** How many of them are shown and need a review. */
  reviews: number;
  readonly documents: Map<string, StoredDocument>;
  /** The same, perhaps not in order: see projector/assemble/documents.ts. */
  documentList: StoredDocument[];
  readonly links: Map<string, Link>;
  /** The links by what they connect, whether that is there or not. */
  readonly linksOfItem: Map<string, Set<Link>>;
  readonly linksOfDocument: Map<string, Set<Link>>;
  /** Of TOUCHED: what changed. */
  touched: number;
  /** The pieces of the stored state that hold what changed. */
  readonly changedPieces: Set<number>;
}

export const emptyPart = (leadId: string, workspaceId: string): LeadPart => ({
  leadId,
  workspaceId,
  createdBy: null,
  record: {},
  extra: {},
  completed: false,
  groups: [],
  items: new Map(),
  reviews: 0,
  documents: new Map(),
  documentList: [],
  links: new Map(),
  linksOfItem: new Map(),
  linksOfDocument: new Map(),
  touched: 0,
  changedPieces: new Set(),
});

export function putItem(part: LeadPart, item: Item): void {
  part.items.set(item.id, item);
  if (needsReview(item.fields)) part.reviews++;
  forgetDocumentsOf(part, item.id);
}

export function changeItem(part: LeadPart, item: Item, fields: Fields): void {
  if (needsReview(item.fields)) part.reviews--;
  if (needsReview(fields)) part.reviews++;
  item.fields = fields;
  item.text = undefined;
  item.shown = undefined;
  part.changedPieces.add(item.piece);
}

export function dropItem(part: LeadPart, item: Item): void {
  part.items.delete(item.id);
  if (needsReview(item.fields)) part.reviews--;
  part.changedPieces.add(item.piece);
  forgetDocumentsOf(part, item.id);
}

/** An item is hidden only by its own override; conditions can't be judged from here. */
const needsReview = ({ status, itemOverride }: Fields): boolean =>
  status === "NEEDS_REVIEW" && !(isObject(itemOverride) && itemOverride.hidden === true);

export function putDocument(part: LeadPart, document: StoredDocument): void {
  part.documents.set(document.id, document);
  part.documentList.push(document);
  forgetItemsOf(part, document.id);
}

export function changeDocument(
  part: LeadPart,
  document: StoredDocument,
  fields: StoredDocument["fields"],
): void {
  document.fields = fields;
  document.text = undefined;
  document.shown = undefined;
  part.changedPieces.add(document.piece);
  forgetItemsOf(part, document.id);
}

/** Its links go first. */
export function dropDocument(part: LeadPart, document: StoredDocument): void {
  part.documents.delete(document.id);
  part.documentList = part.documentList.filter((one) => one !== document);
  part.changedPieces.add(document.piece);
}

/** What is shown of the items that a document is linked to has to be made anew. */
function forgetItemsOf({ linksOfDocument, items }: LeadPart, documentId: string): void {
  for (const link of linksOfDocument.get(documentId) ?? []) {
    forget(link);
    forget(items.get(link.itemId));
  }
}

function forgetDocumentsOf({ linksOfItem, documents }: LeadPart, itemId: string): void {
  for (const { documentId } of linksOfItem.get(itemId) ?? []) forget(documents.get(documentId));
}

function forget(entity: ShownEntity | undefined): void {
  if (entity) entity.shown = undefined;
}

export function putLink(part: LeadPart, link: Link): void {
  const before = part.links.get(link.id);
  if (before) dropLink(part, before);
  part.links.set(link.id, link);
  setIn(part.linksOfItem, link.itemId).add(link);
  setIn(part.linksOfDocument, link.documentId).add(link);
  forget(part.items.get(link.itemId));
  forget(part.documents.get(link.documentId));
}

export function dropLink(part: LeadPart, link: Link): void {
  part.links.delete(link.id);
  takeOut(part.linksOfItem, link.itemId, link);
  takeOut(part.linksOfDocument, link.documentId, link);
  forget(part.items.get(link.itemId));
  forget(part.documents.get(link.documentId));
}

function setIn(sets: Map<string, Set<Link>>, key: string): Set<Link> {
  let set = sets.get(key);
  if (!set) {
    set = new Set();
    sets.set(key, set);
  }
  return set;
}

function takeOut(sets: Map<string, Set<Link>>, key: string, link: Link): void {
  const set = sets.get(key);
  set?.delete(link);
  if (set?.size === 0) sets.delete(key);
}
