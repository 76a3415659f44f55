import type { EventOf } from "../../shared/events/catalogue.ts";
import type { documentEvents } from "../../shared/events/document.ts";
import { arrange } from "./entity.ts";
import { FoldError } from "./fold-error.ts";
import { documentShape, type LeadPart, type Link, linkShape, type StoredDocument } from "./lead-part.ts";

export type DocumentEvent = EventOf<keyof typeof documentEvents>;

/**
 * Folds one event of `omni.document`. A link may come before its document or its item: it
 * appears when both are there.
 * @throws FoldError unknown_entity for an extraction of a document that was not received
 */
export function foldDocument(part: LeadPart, event: DocumentEvent): LeadPart {
  switch (event.event) {
    case "document.received":
      return withDocument(part, event.data);
    case "document.extracted": {
      const known = part.documents.get(event.data.id);
      if (!known)
        throw new FoldError("unknown_entity", "the lead has no such document; retry once it was received");
      return withDocument(part, { ...known, ...event.data });
    }
    case "document.linked":
      return {
        ...part,
        links: new Map(part.links).set(event.data.id, arrange(linkShape, event.data) as Link),
      };
    case "document.unlinked":
      return { ...part, links: without(part.links, ({ id }) => id === event.data.id) };
    case "document.deleted":
      return {
        ...part,
        documents: without(part.documents, ({ id }) => id === event.data.id),
        links: without(part.links, ({ documentId }) => documentId === event.data.id),
      };
  }
}

function withDocument(part: LeadPart, document: StoredDocument): LeadPart {
  const arranged = arrange(documentShape, document) as StoredDocument;
  return { ...part, documents: new Map(part.documents).set(document.id, arranged) };
}

const without = <T>(entities: ReadonlyMap<string, T>, gone: (entity: T) => boolean): ReadonlyMap<string, T> =>
  new Map([...entities].filter(([, entity]) => !gone(entity)));
