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

export const NO_PIECE = -1;

export interface Group {
  /** Without its items. */
  facts: Fields & { readonly id: string };
  items: readonly Item[];
}

export interface Item extends Entity {
  /** The id of its group. */
  readonly groupId: string;
  /** Orders the items of a group. */
  readonly rank: number;
}

export type StoredDocument = Entity<Fields & { readonly storageKey?: string | null }>;

export interface Link extends Entity {
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
  links: new Map(),
  linksOfItem: new Map(),
  linksOfDocument: new Map(),
  touched: 0,
  changedPieces: new Set(),
});

export function putItem(part: LeadPart, item: Item): void {
  part.items.set(item.id, item);
  if (needsReview(item.fields)) part.reviews++;
}

export function changeItem(part: LeadPart, item: Item, fields: Fields): void {
  if (needsReview(item.fields)) part.reviews--;
  if (needsReview(fields)) part.reviews++;
  item.fields = fields;
  noteChange(part, item);
}

export function dropItem(part: LeadPart, item: Item): void {
  part.items.delete(item.id);
  if (needsReview(item.fields)) part.reviews--;
  part.changedPieces.add(item.piece);
}

/** An item is hidden only by its own override; conditions can't be judged from here. */
const needsReview = ({ status, itemOverride }: Fields): boolean =>
  status === "NEEDS_REVIEW" && !(isObject(itemOverride) && itemOverride.hidden === true);

/** Notes that an entity was changed, or is gone. */
export function noteChange(part: LeadPart, entity: Entity): void {
  entity.text = undefined;
  part.changedPieces.add(entity.piece);
}

export function putLink(part: LeadPart, link: Link): void {
  const before = part.links.get(link.id);
  if (before) dropLink(part, before);
  part.links.set(link.id, link);
  setIn(part.linksOfItem, link.itemId).add(link);
  setIn(part.linksOfDocument, link.documentId).add(link);
}

export function dropLink(part: LeadPart, link: Link): void {
  part.links.delete(link.id);
  takeOut(part.linksOfItem, link.itemId, link);
  takeOut(part.linksOfDocument, link.documentId, link);
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
