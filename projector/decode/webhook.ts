import type { Event, EventType } from "../../shared/events/catalogue.ts";
import { isObject } from "../../shared/events/exact-json.ts";
import type { WebhookBody } from "../../shared/events/webhook.ts";
import type { SourceRecord } from "../source/source.ts";
import { producedAt } from "./cloud-events.ts";
import { DecodeError } from "./decode-error.ts";
import type { CheckedJson } from "./json.ts";
import { type DocumentStore, storageKeyOf } from "./storage-key.ts";
import { validateEvent, validateWebhook } from "./validate.ts";

type Fields = Record<string, unknown>;
type ItemDocument = NonNullable<
  NonNullable<BodyOf<"lead.updated">["data"]["checklistItems"]>[number]["documents"]
>[number];
type BodyOf<T extends WebhookBody["event"]> = Extract<WebhookBody, { event: T }>;

interface WebhookOptions {
  /** The workspace of bodies that name none; undefined = they are refused. */
  readonly defaultWorkspaceId: string | undefined;
  /** Where documents are; undefined = unknown. */
  readonly documentStore: DocumentStore | undefined;
}

/**
 * Turns a public webhook body into the catalogue's events. The id comes from the record's position, the time from the
 * body or the record's timestamp, the workspace from the body or the configured default.
 * @throws DecodeError as `validateWebhook`, no_time and no_workspace
 */
export function webhookEvents(
  record: SourceRecord,
  { value, exact }: CheckedJson,
  { defaultWorkspaceId, documentStore }: WebhookOptions,
): Event[] {
  const body = validateWebhook(value as Readonly<Record<string, unknown>>, exact);
  const workspaceId = body.workspaceId ?? defaultWorkspaceId;
  if (workspaceId === undefined) {
    throw new DecodeError(
      "no_workspace",
      "the body names no workspace; set WEBHOOK_WORKSPACE_ID to its workspace",
    );
  }
  const occurredAt = body.occurredAt ?? producedAt(record);
  const derived = derivedEvents(body, occurredAt, documentStore);
  return derived.map(({ event, data }, index) => {
    const id = `${record.topic}/${record.partition}/${record.offset}${index === 0 ? "" : `/${index}`}`;
    return validateEvent({ id, event, occurredAt, workspaceId, leadId: leadIdOf(body), data }, exact);
  });
}

interface Derived {
  readonly event: EventType;
  readonly data: Fields;
}

function derivedEvents(body: WebhookBody, occurredAt: string, store: DocumentStore | undefined): Derived[] {
  switch (body.event) {
    case "lead.created":
      return leadEvents("lead.created", { createdAt: occurredAt, updatedAt: occurredAt }, body.data);
    case "lead.updated":
      return leadEvents("lead.updated", { updatedAt: occurredAt }, body.data);
    case "lead.completed":
      return [{ event: "lead.completed", data: { submittedAt: occurredAt } }];
    case "document.received":
      return [{ event: "document.received", data: receivedDocument(body.document, store) }];
    case "document.extracted":
      return extractionEvents(body);
    case "action_log.completed":
    case "action_log.failed":
      return [{ event: body.event, data: { ...body.actionLog } }];
  }
}

function leadIdOf(body: WebhookBody): string {
  switch (body.event) {
    case "lead.created":
    case "lead.updated":
    case "lead.completed":
      return body.data.leadId;
    case "document.received":
      return body.document.leadId;
    case "document.extracted":
      return body.leadId;
    case "action_log.completed":
    case "action_log.failed":
      return body.actionLog.leadId;
  }
}

/** The lead's own fields, then one event for each checklist item that changed, and one for each of its documents. */
function leadEvents(
  event: "lead.created" | "lead.updated",
  times: Fields,
  data: BodyOf<"lead.updated">["data"],
): Derived[] {
  const { leadId: _, externalId, checklistItems, ...fields } = data;
  const external = externalId === undefined ? {} : { externalLeadId: externalId };
  const items = (checklistItems ?? []).flatMap(({ documents, ...item }): Derived[] => [
    { event: "checklist_item.added", data: { item } },
    ...itemLinks(item.id, documents ?? []),
  ]);
  return [{ event, data: { ...times, ...fields, ...external } }, ...items];
}

/** The documents that a changed item lists, as links to it. */
function itemLinks(itemId: string, documents: readonly ItemDocument[]): Derived[] {
  return documents.map(({ id, validationResult }) => ({
    event: "document.linked" as const,
    data: { ...linkOf(itemId, id), ...verdict(validationResult) },
  }));
}

/** The document without its URL, which expires; the URL's path has the object's key. */
function receivedDocument(
  document: BodyOf<"document.received">["document"],
  store: DocumentStore | undefined,
): Fields {
  const { signedUrl, ...fields } = document;
  const storageKey = typeof signedUrl === "string" ? storageKeyOf(signedUrl, store) : undefined;
  return storageKey ? { storageKey, ...fields } : fields;
}

/** The document's patch, a link for each checklist item that it matched, a new value for each item read from it. */
function extractionEvents(body: BodyOf<"document.extracted">): Derived[] {
  const { documentId, status, type, summary, classification, extractionResult } = body;
  const patch = { id: documentId, ...present({ status, type, summary }) };
  const links = (classification?.matchedChecklistItems ?? []).map(({ leadChecklistItemId, validation }) => ({
    event: "document.linked" as const,
    data: {
      ...linkOf(leadChecklistItemId, documentId),
      ...(validation ? { validationResult: validation } : {}),
    },
  }));
  const values = (extractionResult?.items ?? []).flatMap(({ leadChecklistItemId, value }) =>
    leadChecklistItemId
      ? [
          {
            event: "checklist_item.added" as const,
            data: { item: { id: leadChecklistItemId, ...present({ value }) } },
          },
        ]
      : [],
  );
  return [{ event: "document.extracted", data: patch }, ...links, ...values];
}

const linkOf = (leadChecklistItemId: string, documentId: string): Fields => ({
  id: `${leadChecklistItemId}:${documentId}`.slice(0, 200),
  leadChecklistItemId,
  documentId,
});

function verdict(validationResult: unknown): Fields {
  if (validationResult === undefined || validationResult === null) return {};
  const overallValid = isObject(validationResult) ? validationResult.overallValid : undefined;
  return { ...(typeof overallValid === "boolean" ? { overallValid } : {}), validationResult };
}

const present = (fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
