import * as Schema from "@effect/schema/Schema";
import { given, Id, ItemValue, Json, maybe, Text, Time } from "./fields.ts";

// The platform's public webhook bodies: three families with three envelopes as it documents them.

/** A document that a changed item lists, with how it was judged against the item. */
const ItemDocument = Schema.Struct({ id: Id, validationResult: given(Json) });

const leadBody = <E extends string>(event: E) =>
  Schema.Struct({
    event: Schema.Literal(event),
    workspaceId: given(Id),
    occurredAt: given(Time),
    data: Schema.Struct({
      leadId: Id,
      externalId: maybe(Text),
      checklistItems: maybe(
        Schema.Array(Schema.Struct({ id: Id, documents: maybe(Schema.Array(ItemDocument)) })),
      ),
    }),
  });

const actionLogBody = <E extends string>(event: E) =>
  Schema.Struct({
    event: Schema.Literal(event),
    workspaceId: given(Id),
    occurredAt: given(Time),
    actionLog: Schema.Struct({ id: Id, leadId: Id }),
  });

/** How the extraction pipeline judged a document against one checklist item. */
const Validation = Schema.Struct({ status: maybe(Text), reasons: given(Json) });

export const webhookSchemas = {
  "lead.created": leadBody("lead.created"),
  "lead.updated": leadBody("lead.updated"),
  "lead.completed": leadBody("lead.completed"),
  "document.received": Schema.Struct({
    event: Schema.Literal("document.received"),
    workspaceId: given(Id),
    occurredAt: given(Time),
    document: Schema.Struct({ id: Id, leadId: Id, signedUrl: maybe(Text) }),
  }),
  "document.extracted": Schema.Struct({
    event: Schema.Literal("document.extracted"),
    workspaceId: given(Id),
    occurredAt: given(Time),
    leadId: Id,
    documentId: Id,
    status: maybe(Text),
    type: maybe(Text),
    summary: maybe(Text),
    classification: maybe(
      Schema.Struct({
        noMatchedItemReason: maybe(Text),
        matchedChecklistItems: maybe(
          Schema.Array(Schema.Struct({ leadChecklistItemId: Id, validation: maybe(Validation) })),
        ),
      }),
    ),
    extractionResult: maybe(
      Schema.Struct({
        items: maybe(
          Schema.Array(
            Schema.Struct({
              leadChecklistItemId: maybe(Id),
              label: maybe(Text),
              value: given(ItemValue),
            }),
          ),
        ),
      }),
    ),
  }),
  "action_log.completed": actionLogBody("action_log.completed"),
  "action_log.failed": actionLogBody("action_log.failed"),
} as const;

export type WebhookType = keyof typeof webhookSchemas;
export type WebhookBody = { [T in WebhookType]: (typeof webhookSchemas)[T]["Type"] }[WebhookType];
