import type { EventOf } from "../../shared/events/catalogue.ts";
import type { leadEvents } from "../../shared/events/lead.ts";
import { LeadRecord } from "../../shared/events/lead.ts";
import type { Fields } from "./entity.ts";
import { FoldError } from "./fold-error.ts";
import { type LeadPart, TOUCHED } from "./lead-part.ts";

export type LeadEvent = EventOf<keyof typeof leadEvents>;

const RECORD_FIELDS: ReadonlySet<string> = new Set(Object.keys(LeadRecord.fields));

/**
 * Folds one event of `omni.lead`.
 * @throws FoldError identity_mismatch where the record speaks of another lead or workspace than its envelope; nothing is
 * changed then
 */
export function foldLead(part: LeadPart, event: LeadEvent): void {
  switch (event.event) {
    case "lead.created":
      create(part, event);
      break;
    case "lead.updated":
      patch(part, event);
      break;
    case "lead.completed": {
      const { submittedAt } = event.data;
      if (submittedAt !== undefined) part.record = { ...part.record, submittedAt };
      part.completed = true;
      break;
    }
    case "lead.reopened":
      part.completed = false;
      break;
    case "lead.opted_out": {
      const optOutAt = event.data.optOutAt ?? event.occurredAt;
      part.record = { ...part.record, didOptOut: true };
      part.extra = { ...part.extra, optOutAt };
      break;
    }
    case "lead.deleted":
      part.record = { ...part.record, deletedAt: event.data.deletedAt };
      break;
    case "lead.restored":
      part.record = { ...part.record, deletedAt: null };
      break;
  }
  part.touched |= TOUCHED.record;
}

/**
 * The first creation stands over patches that came before it; a later one replaces the record. One that comes
 * again, with the same event id, says nothing new.
 */
function create(part: LeadPart, event: EventOf<"lead.created">): void {
  if (part.createdBy === event.id) return;
  const [record, extra] = split(event);
  part.record = part.createdBy === null ? { ...part.record, ...record } : record;
  part.extra = { ...part.extra, ...extra };
  part.createdBy = event.id;
}

function patch(part: LeadPart, event: EventOf<"lead.updated">): void {
  const [record, extra] = split(event);
  part.record = { ...part.record, ...record };
  part.extra = { ...part.extra, ...extra };
}

/** The event's fields: those of the record, and the others. */
function split(event: EventOf<"lead.created" | "lead.updated">): readonly [Fields, Fields] {
  const { id, workspaceId, ...given } = event.data;
  if ((id ?? event.leadId) !== event.leadId || (workspaceId ?? event.workspaceId) !== event.workspaceId) {
    throw new FoldError("identity_mismatch", "data.id and data.workspaceId must be those of the envelope");
  }
  const record: Record<string, unknown> = {};
  const extra: Record<string, unknown> = {};
  for (const name in given) {
    const value = (given as Fields)[name];
    (RECORD_FIELDS.has(name) ? record : extra)[name] = value;
  }
  return [record, extra];
}
