import * as Schema from "@effect/schema/Schema";
import { given, Id, Json, maybe, StorageKey, Text, Time } from "./fields.ts";

const Size = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0));

/** Data of the events of `omni.document`. Sizes in bytes. */
export const documentEvents = {
  "document.received": Schema.Struct({
    id: Id,
    filename: maybe(Text),
    mimeType: maybe(Text),
    size: maybe(Size),
    storageKey: maybe(StorageKey),
    metadata: given(Json),
    messageId: maybe(Text),
    createdAt: maybe(Time),
  }),
  "document.extracted": Schema.Struct({
    id: Id,
    status: maybe(Text),
    type: maybe(Text),
    summary: maybe(Text),
    metadata: given(Json),
  }),
  "document.linked": Schema.Struct({
    id: Id,
    leadChecklistItemId: Id,
    documentId: Id,
    overallValid: maybe(Schema.Boolean),
    validationResult: given(Json),
  }),
  "document.unlinked": Schema.Struct({ id: Id }),
  "document.deleted": Schema.Struct({ id: Id }),
} as const;
