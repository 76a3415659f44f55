import type { EventOf } from "../../shared/events/catalogue.ts";
import type { leadEvents } from "../../shared/events/lead.ts";
import { LeadRecord } from "../../shared/events/lead.ts";
import type { Fields } from "./entity.ts";
import { FoldError } from "./fold-error.ts";
import type { LeadPart } from "./lead-part.ts";

export type LeadEvent = EventOf<keyof typeof leadEvents>;

const RECORD_FIELDS: ReadonlySet<string> = new Set(Object.keys(LeadRecord.fields));

/**
 * Folds one event of `omni.lead`.
 * @throws FoldError identity_mismatch where the record speaks of another lead or workspace than its envelope
 */
export function foldLead(part: LeadPart, event: LeadEvent): LeadPart {
  switch (event.event) {
    case "lead.created":
      return create(part, event);
    case "lead.updated":
      return patch(part, event);
    case "lead.completed": {
      const { submittedAt } = event.data;
      const record = submittedAt === undefined ? part.record : { ...part.record, submittedAt };
      return { ...part, record, completed: true };
    }
    case "lead.reopened":
      return { ...part, completed: false };
    case "lead.opted_out": {
      const optOutAt = event.data.optOutAt ?? event.occurredAt;
      return { ...part, record: { ...part.record, didOptOut: true }, extra: { ...part.extra, optOutAt } };
    }
    case "lead.deleted":
      return { ...part, record: { ...part.record, deletedAt: event.data.deletedAt } };
    case "lead.restored":
      return { ...part, record: { ...part.record, deletedAt: null } };
  }
}

/**
 * The first creation stands over patches that came before it; a later one replaces the record. One that comes
 * again, with the same event id, says nothing new.
 */
function create(part: LeadPart, event: EventOf<"lead.created">): LeadPart {
  if (part.createdBy === event.id) return part;
  const [record, extra] = split(event);
  const base = part.createdBy === null ? part.record : {};
  return { ...part, createdBy: event.id, record: { ...base, ...record }, extra: { ...part.extra, ...extra } };
}

function patch(part: LeadPart, event: EventOf<"lead.updated">): LeadPart {
  const [record, extra] = split(event);
  return { ...part, record: { ...part.record, ...record }, extra: { ...part.extra, ...extra } };
}

/** The event's fields: those of the record, and the others. */
function split(event: EventOf<"lead.created" | "lead.updated">): readonly [Fields, Fields] {
  const { id, workspaceId, ...given } = event.data;
  if ((id ?? event.leadId) !== event.leadId || (workspaceId ?? event.workspaceId) !== event.workspaceId) {
    throw new FoldError("identity_mismatch", "data.id and data.workspaceId must be those of the envelope");
  }
  const record: Record<string, unknown> = {};
  const extra: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) (RECORD_FIELDS.has(name) ? record : extra)[name] = value;
  return [record, extra];
}
