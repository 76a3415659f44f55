import { Schema } from "@effect/schema";
import { actionLogEvents } from "./action-log.ts";
import { checklistEvents } from "./checklist.ts";
import { documentEvents } from "./document.ts";
import { EventId, Id, Time } from "./fields.ts";
import { leadEvents } from "./lead.ts";

/** The topics, each the sole owner of its entities (rule: one topic owns an entity). */
export const TOPICS = {
  lead: "omni.lead",
  checklist: "omni.checklist",
  document: "omni.document",
  actionLog: "omni.action_log",
  /** The platform's public webhook bodies, as they are. */
  webhook: "omni.webhook",
} as const;

const data = { ...leadEvents, ...checklistEvents, ...documentEvents, ...actionLogEvents };

export type EventType = keyof typeof data;

const envelope = {
  id: EventId,
  schemaVersion: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))),
  occurredAt: Time,
  workspaceId: Id,
  leadId: Id,
};

const eventSchema = <T extends EventType>(type: T) =>
  Schema.Struct({ ...envelope, event: Schema.Literal(type), data: data[type] });

/** One event of a type, or of one of several: the envelope with its data typed. */
export type EventOf<T extends EventType> = T extends EventType
  ? Schema.Struct<typeof envelope & { event: Schema.Literal<T>; data: (typeof data)[T] }>["Type"]
  : never;

export type Event = EventOf<EventType>;

export const EVENT_TYPES = Object.keys(data) as EventType[];

/** The Schema of every event, by type. */
export const eventSchemas = Object.fromEntries(EVENT_TYPES.map((type) => [type, eventSchema(type)])) as {
  [T in EventType]: ReturnType<typeof eventSchema<T>>;
};

const topicsByType: ReadonlyMap<string, string> = new Map(
  [
    { topic: TOPICS.lead, events: leadEvents },
    { topic: TOPICS.checklist, events: checklistEvents },
    { topic: TOPICS.document, events: documentEvents },
    { topic: TOPICS.actionLog, events: actionLogEvents },
  ].flatMap(({ topic, events }) => Object.keys(events).map((type) => [type, topic])),
);

/** The topic that owns events of this type; undefined for a type that is not in the catalogue. */
export const topicOf = (type: string): string | undefined => topicsByType.get(type);
