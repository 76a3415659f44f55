import type { LeadPart, Link, StoredDocument } from "../fold/lead-part.ts";
import { byCodePoint, byTimeThenId } from "../fold/order.ts";

/** The links whose document and item both exist (rule: one topic owns an entity). */
export interface ResolvedLinks {
  readonly byDocument: ReadonlyMap<string, readonly Link[]>;
  readonly byItem: ReadonlyMap<string, readonly { readonly link: Link; readonly document: StoredDocument }[]>;
}

export function resolveLinks({ groups, documents, links }: LeadPart): ResolvedLinks {
  const byDocument = new Map<string, Link[]>();
  const byItem = new Map<string, { link: Link; document: StoredDocument }[]>();
  if (links.size === 0) return { byDocument, byItem };
  const items = new Set(groups.flatMap((group) => group.items.map(({ id }) => id)));
  for (const link of [...links.values()].sort((a, b) => byCodePoint(a.id, b.id))) {
    const document = documents.get(link.documentId);
    if (!document || !items.has(link.leadChecklistItemId)) continue;
    listIn(byDocument, link.documentId).push(link);
    listIn(byItem, link.leadChecklistItemId).push({ link, document });
  }
  for (const list of byItem.values()) list.sort((a, b) => byCreation(a.document, b.document));
  return { byDocument, byItem };
}

/** Documents stand by createdAt, then id (rule: one topic owns an entity). */
export const byCreation = (a: StoredDocument, b: StoredDocument): number =>
  byTimeThenId(a.createdAt, a.id, b.createdAt, b.id);

function listIn<T>(lists: Map<string, T[]>, key: string): T[] {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
}
