import type { Event, EventType } from "../../shared/events/catalogue.ts";
import type { WebhookBody } from "../../shared/events/webhook.ts";
import type { SourceRecord } from "../source/source.ts";
import { DecodeError } from "./decode-error.ts";
import { validateEvent, validateWebhook } from "./validate.ts";

type Fields = Record<string, unknown>;
type BodyOf<T extends WebhookBody["event"]> = Extract<WebhookBody, { event: T }>;

/**
 * Turns a public webhook body into the catalogue's events (omni-facts.md, design.md section 3). The id comes from
 * the record's position, the time from the body or the record's timestamp, the workspace from the body or the
 * configured default.
 * @throws DecodeError as `validateWebhook`, and no_workspace
 */
export function webhookEvents(
  record: SourceRecord,
  value: Readonly<Record<string, unknown>>,
  defaultWorkspaceId: string | undefined,
): Event[] {
  const body = validateWebhook(value);
  const workspaceId = body.workspaceId ?? defaultWorkspaceId;
  if (workspaceId === undefined) {
    throw new DecodeError(
      "no_workspace",
      "the body names no workspace; set WEBHOOK_WORKSPACE_ID to its workspace",
    );
  }
  const occurredAt = body.occurredAt ?? new Date(record.timestamp).toISOString();
  const derived = derivedEvents(body, occurredAt);
  return derived.map(({ event, data }, index) =>
    validateEvent({
      id: `${record.topic}/${record.partition}/${record.offset}${index === 0 ? "" : `/${index}`}`,
      event,
      occurredAt,
      workspaceId,
      leadId: leadIdOf(body),
      data,
    }),
  );
}

interface Derived {
  readonly event: EventType;
  readonly data: Fields;
}

function derivedEvents(body: WebhookBody, occurredAt: string): Derived[] {
  switch (body.event) {
    case "lead.created":
      return leadEvents("lead.created", { createdAt: occurredAt, updatedAt: occurredAt }, body.data);
    case "lead.updated":
      return leadEvents("lead.updated", { updatedAt: occurredAt }, body.data);
    case "lead.completed":
      return [{ event: "lead.completed", data: { submittedAt: occurredAt } }];
    case "document.received":
      return [{ event: "document.received", data: receivedDocument(body.document) }];
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
  const items = (checklistItems ?? []).flatMap(({ documents, ...item }: Fields): Derived[] => [
    { event: "checklist_item.added", data: { item } },
    ...itemLinks(String(item.id), documents),
  ]);
  return [{ event, data: { ...times, ...fields, ...external } }, ...items];
}

/** The documents that a changed item lists, as links to it. */
function itemLinks(itemId: string, documents: unknown): Derived[] {
  if (!Array.isArray(documents)) return [];
  return documents.map(({ id, validationResult }: { id: string; validationResult?: Fields | null }) => ({
    event: "document.linked" as const,
    data: { ...linkOf(itemId, id), ...verdict(validationResult) },
  }));
}

/** The document without its URL, which expires; the object's key is the URL's path (omni-facts.md). */
function receivedDocument(document: BodyOf<"document.received">["document"]): Fields {
  const { signedUrl, ...fields } = document;
  const storageKey = signedUrl ? storageKeyOf(signedUrl) : undefined;
  return storageKey ? { storageKey, ...fields } : fields;
}

function storageKeyOf(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined;
  try {
    return decodeURIComponent(new URL(url).pathname.slice(1));
  } catch {
    return undefined;
  }
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

function verdict(validationResult: Fields | null | undefined): Fields {
  if (!validationResult) return {};
  const overallValid = validationResult.overallValid;
  return { ...(typeof overallValid === "boolean" ? { overallValid } : {}), validationResult };
}

const present = (fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
