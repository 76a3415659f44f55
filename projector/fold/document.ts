import type { EventOf } from "../../shared/events/catalogue.ts";
import type { documentEvents } from "../../shared/events/document.ts";
import { unknownEntity } from "./fold-error.ts";
import {
  changeDocument,
  dropDocument,
  dropLink,
  type LeadPart,
  type Link,
  NO_PIECE,
  putDocument,
  putLink,
  TOUCHED,
} from "./lead-part.ts";

export type DocumentEvent = EventOf<keyof typeof documentEvents>;

/**
 * Folds one event of `omni.document`. A link may come before its document or its item: it
 * appears when both are there.
 * @throws FoldError unknown_entity for an extraction of a document that was not received; nothing is changed then
 */
export function foldDocument(part: LeadPart, event: DocumentEvent): void {
  switch (event.event) {
    case "document.received":
      receive(part, event.data);
      break;
    case "document.extracted": {
      const known = part.documents.get(event.data.id);
      if (!known) throw unknownEntity("document", "received");
      changeDocument(part, known, { ...known.fields, ...event.data });
      break;
    }
    case "document.linked": {
      const { id, leadChecklistItemId: itemId, documentId } = event.data;
      const before = part.links.get(id);
      if (before) part.changedPieces.add(before.piece);
      const piece = before?.piece ?? NO_PIECE;
      putLink(part, { id, fields: event.data, text: undefined, shown: undefined, piece, itemId, documentId });
      break;
    }
    case "document.unlinked":
      unlink(part, part.links.get(event.data.id));
      break;
    case "document.deleted": {
      const { id } = event.data;
      for (const link of [...(part.linksOfDocument.get(id) ?? [])]) unlink(part, link);
      const known = part.documents.get(id);
      if (known) dropDocument(part, known);
      break;
    }
  }
  part.touched |= TOUCHED.documents;
}

function receive(part: LeadPart, fields: EventOf<"document.received">["data"]): void {
  const known = part.documents.get(fields.id);
  if (known) changeDocument(part, known, fields);
  else putDocument(part, { id: fields.id, fields, text: undefined, shown: undefined, piece: NO_PIECE });
}

function unlink(part: LeadPart, link: Link | undefined): void {
  if (!link) return;
  part.changedPieces.add(link.piece);
  dropLink(part, link);
}
