import { type Event, type EventTopic, TOPICS, topicOf } from "../../shared/events/catalogue.ts";
import type { ActionLogEvent } from "./action-log.ts";
import { foldChecklist } from "./checklist.ts";
import { foldDocument } from "./document.ts";
import { foldLead } from "./lead.ts";
import type { LeadPart } from "./lead-part.ts";

/** What the events of a topic do to a lead's part; action logs are folded one by one, and stand beside it. */
type FoldsPart = (part: LeadPart, event: never) => void;

const FOLDS: { readonly [T in Exclude<EventTopic, typeof TOPICS.actionLog>]: FoldsPart } = {
  [TOPICS.lead]: foldLead,
  [TOPICS.checklist]: foldChecklist,
  [TOPICS.document]: foldDocument,
};

/**
 * Folds an event that is not of an action log into its lead's part, in place.
 * @throws FoldError where it contradicts the state; nothing is changed then
 */
export function foldPart(part: LeadPart, event: Exclude<Event, ActionLogEvent>): void {
  const topic = topicOf(event.event) as keyof typeof FOLDS;
  FOLDS[topic](part, event as never);
}

export const isActionLogEvent = (event: Event): event is ActionLogEvent =>
  topicOf(event.event) === TOPICS.actionLog;
