import type { LeadPart, Link, StoredDocument } from "../fold/lead-part.ts";
import { byCodePoint, byTimeThenId } from "../fold/order.ts";

/** A link whose document and item both exist (rule: one topic owns an entity). */
export interface ResolvedLink {
  readonly link: Link;
  readonly document: StoredDocument;
}

/** The links of a document, by their ids. */
export function linksOfDocument({ linksOfDocument, items }: LeadPart, documentId: string): readonly Link[] {
  const links = linksOfDocument.get(documentId);
  if (!links) return NONE;
  return [...links].filter(({ itemId }) => items.has(itemId)).sort((a, b) => byCodePoint(a.id, b.id));
}

/** The links of an item with their documents, by when these were created, then by their ids, then by the links'. */
export function linksOfItem({ linksOfItem, documents }: LeadPart, itemId: string): readonly ResolvedLink[] {
  const links = linksOfItem.get(itemId);
  if (!links) return NONE;
  return [...links]
    .flatMap((link) => {
      const document = documents.get(link.documentId);
      return document ? [{ link, document }] : [];
    })
    .sort((a, b) => byCreation(a.document, b.document) || byCodePoint(a.link.id, b.link.id));
}

const NONE: readonly never[] = [];

/** Documents stand by createdAt, then id (rule: one topic owns an entity). */
export const byCreation = (a: StoredDocument, b: StoredDocument): number =>
  byTimeThenId(a.fields.createdAt, a.id, b.fields.createdAt, b.id);
