import type { Event } from "../../shared/events/catalogue.ts";
import type { ActionLogEvent } from "./action-log.ts";
import { foldChecklist, isChecklistEvent } from "./checklist.ts";
import { foldDocument, isDocumentEvent } from "./document.ts";
import { foldLead, isLeadEvent } from "./lead.ts";
import type { LeadPart } from "./lead-part.ts";

/** Folds an event that is not of an action log into its lead's part: the state after it. */
export function foldPart(part: LeadPart, event: Exclude<Event, ActionLogEvent>): LeadPart {
  if (isLeadEvent(event)) return foldLead(part, event);
  if (isChecklistEvent(event)) return foldChecklist(part, event);
  if (isDocumentEvent(event)) return foldDocument(part, event);
  return event satisfies never;
}

export const isActionLogEvent = (event: Event): event is ActionLogEvent =>
  event.event.startsWith("action_log.");
