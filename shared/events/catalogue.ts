import * as Schema from "@effect/schema/Schema";
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

/**
 * The table of events: each topic's, by name, with the Schema of its data. The envelope's Schemas, the published JSON
 * Schemas and who owns which event follow from it; what an event does to the state is projector/fold/fold.ts's table.
 */
const EVENTS = {
  [TOPICS.lead]: leadEvents,
  [TOPICS.checklist]: checklistEvents,
  [TOPICS.document]: documentEvents,
  [TOPICS.actionLog]: actionLogEvents,
} as const;

const data = { ...leadEvents, ...checklistEvents, ...documentEvents, ...actionLogEvents };

/** The topics that own events of the catalogue. */
export type EventTopic = keyof typeof EVENTS;

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

const topicsByType: ReadonlyMap<string, EventTopic> = new Map(
  (Object.entries(EVENTS) as [EventTopic, object][]).flatMap(([topic, events]) =>
    Object.keys(events).map((type) => [type, topic] as const),
  ),
);

/** The topic that owns events of this type; undefined for a type that is not in the catalogue. */
export const topicOf = (type: string): EventTopic | undefined => topicsByType.get(type);
