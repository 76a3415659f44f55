import fc from "fast-check";
import type { SourceRecord } from "../../projector/source/source.ts";
import { TOPICS, topicOf } from "../../shared/events/catalogue.ts";
import { numberText } from "./number-text.ts";

// Random histories over few ids, so that events meet: the same lead, item, document, identity again and again.

export interface HistoryEntry {
  readonly topic: string;
  readonly leadId: string;
  /** Null erases. */
  readonly event: Record<string, unknown> | null;
}

const LEADS = ["lead-a", "lead-b", "lead-\u{1F600}", "lead-\uFFFD"];
const among = <T>(...values: T[]) => fc.constantFrom(...values);
/** A field that is absent, null, or given. */
const field = <T>(value: fc.Arbitrary<T>) =>
  fc.option(fc.option(value, { freq: 5 }), { nil: undefined, freq: 3 });
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 3 });

const time = fc
  .tuple(fc.integer({ min: 0, max: 9 }), fc.boolean())
  .map(([minute]) => `2026-03-01T00:0${minute}:00.000Z`);
const text = fc.oneof(
  among("x", "Ünï çødé", "李", "\u{1F680}", 'a "quoted" \\ text', "line\nbreak", "cut \ud83d"),
  fc.string({ unit: "grapheme", maxLength: 12 }),
);
const anyJson = fc.oneof(
  fc.constant(null),
  text,
  fc.integer({ min: -5, max: 5 }),
  numberText.map((digits) => JSON.rawJSON(digits)),
  numberText.map((digits) => ({ deep: [JSON.rawJSON(digits)] })),
  fc.constant({ a: 1, "7": [true] }),
  fc.constant({ direction: "OUTBOUND" }),
  fc.constant({ direction: "INBOUND", nested: { signedUrl: "" } }),
);
const extras = fc.oneof(
  { weight: 6, arbitrary: fc.constant({}) },
  { weight: 1, arbitrary: fc.record({ zeta: anyJson, alpha: anyJson }) },
);
const withExtras = <T extends object>(record: fc.Arbitrary<T>) =>
  fc.tuple(record, extras).map(([known, more]) => present({ ...more, ...known }));
const present = (object: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));

const email = among(
  "john@example.com",
  " John@Example.com\u200b",
  "jos\u00e9@m\u00fcnchen.de",
  "jose\u0301@xn--mnchen-3ya.de",
  "x@y.z",
  "",
);
const phone = among(
  "+16782319992",
  "(678) 231-9992",
  "678.231.9992",
  "12",
  "none",
  "+4930123456",
  "0049 30 123456",
);
const leadFields = withExtras(
  fc.record({
    firstName: field(text),
    businessName: field(text),
    createdAt: field(time),
    email: field(email),
    phoneNumber: field(phone),
    didOptOut: field(fc.boolean()),
    isTest: field(among(false, false, true)),
    deletedAt: field(time),
    updatedAt: field(time),
    tags: optional(fc.constant(["vip"])),
  }),
);

const itemId = among("i1", "i2", "i3", "i4");
const groupId = among("g1", "g2", "other");
const definition = withExtras(
  fc.record({
    id: optional(among("ci-1", "ci-2")),
    fieldType: field(among("TEXT", "BANK_STATEMENT", "FILE", "CUSTOM")),
    label: field(text),
    isRequired: field(fc.boolean()),
    conditions: optional(anyJson),
  }),
);
const itemFields = {
  value: optional(fc.oneof(text, fc.integer(), fc.constant(null), fc.constant({ city: "Zürich" }))),
  status: field(among("TODO", "COMPLETED", "NEEDS_REVIEW", "SKIPPED")),
  itemOverride: optional(among({ hidden: true }, { isRequired: false }, null)),
  checklistItem: field(definition),
  fieldType: field(among("ID", "TEXT")),
  createdAt: field(time),
};
const item = withExtras(fc.record({ id: itemId, ...itemFields }));
const assigned = fc
  .tuple(
    fc.shuffledSubarray(["g1", "g2", "other"]),
    fc.shuffledSubarray(["i1", "i2", "i3", "i4"]),
    fc.array(item, { minLength: 4, maxLength: 4 }),
  )
  .map(([groups, ids, items]) => ({
    groups: groups.map((id, index) => ({
      id,
      name: `Group ${id}`,
      conditions: null,
      items: ids
        .filter((_, place) => place % groups.length === index)
        .map((one, place) => ({ ...(items[place] as object), id: one })),
    })),
  }));

const documentId = among("d1", "d2", "d3");
const document = withExtras(
  fc.record({
    id: documentId,
    filename: field(text),
    mimeType: field(among("application/pdf")),
    size: field(fc.nat()),
    storageKey: field(among("ws/d 1.pdf", "ws/ü'()*.pdf")),
    metadata: optional(anyJson),
    messageId: field(among("m1")),
    createdAt: field(time),
  }),
);
const link = withExtras(
  fc.record({
    id: among("l1", "l2", "l3"),
    leadChecklistItemId: itemId,
    documentId,
    overallValid: field(fc.boolean()),
    validationResult: optional(anyJson),
  }),
);

const logId = among("log1", "log2", "log3", "log4", "log5");
const message = withExtras(
  fc.record({
    id: among("m1", "m2"),
    channel: field(among("EMAIL", "SMS")),
    direction: field(among("INBOUND", "OUTBOUND")),
    body: field(text),
    documents: field(fc.array(fc.record({ id: documentId }), { maxLength: 2 })),
  }),
);
const actionLog = withExtras(
  fc.record({
    id: logId,
    type: field(among("MESSAGE", "FOLLOW_UP_MESSAGE", "FOLLOW_UP_MESSAGE", "TOOL_CALL", "API_ACTIVITY")),
    status: field(among("COMPLETED", "COMPLETED", "PENDING", "AWAITING_APPROVAL", "FAILED")),
    summary: field(text),
    input: optional(anyJson),
    parentActionId: field(logId),
    scheduledAt: field(time),
    createdAt: field(time),
    completedAt: field(time),
    tool: field(withExtras(fc.record({ id: field(text), name: field(text) }))),
    messages: field(fc.array(message, { maxLength: 2 })),
  }),
);

const byType: Record<string, fc.Arbitrary<unknown>> = {
  "lead.created": leadFields,
  "lead.updated": leadFields,
  "lead.completed": fc.record({ submittedAt: optional(time) }).map(present),
  "lead.reopened": fc.constant({}),
  "lead.opted_out": fc.record({ optOutAt: optional(time) }).map(present),
  "lead.deleted": fc.record({ deletedAt: time }),
  "lead.restored": fc.constant({}),
  "checklist.assigned": assigned,
  "checklist_item.added": fc.record({ groupId: field(groupId), item }).map(present),
  "checklist_item.updated": item,
  "checklist_item.removed": fc.record({ id: itemId }),
  "checklist_group.updated": withExtras(fc.record({ id: groupId, name: field(text) })),
  "checklist_group.removed": fc.record({ id: groupId }),
  "document.received": document,
  "document.extracted": withExtras(
    fc.record({ id: documentId, status: field(text), metadata: optional(anyJson) }),
  ),
  "document.linked": link,
  "document.unlinked": fc.record({ id: among("l1", "l2", "l3") }),
  "document.deleted": fc.record({ id: documentId }),
  "action_log.created": actionLog,
  "action_log.updated": actionLog,
  "action_log.completed": actionLog,
  "action_log.failed": actionLog,
  "action_log.cancelled": actionLog,
};

const WEIGHTS: Record<string, number> = {
  "lead.created": 12,
  "action_log.created": 16,
  "action_log.completed": 6,
  "checklist.assigned": 3,
  "document.received": 4,
  "document.linked": 4,
};

const entry = fc.oneof(
  {
    weight: 1,
    arbitrary: among(...LEADS).map((leadId): HistoryEntry => ({ topic: TOPICS.lead, leadId, event: null })),
  },
  ...Object.entries(byType).map(([type, data]) => ({
    weight: (WEIGHTS[type] ?? 2) * 3,
    arbitrary: fc
      .record({
        leadId: among(...LEADS),
        workspaceId: among("ws-1", "ws-1", "ws-1", "ws-1", "ws-2"),
        // Now and then the same as another event's, on whatever topic.
        id: fc.oneof(
          { weight: 6, arbitrary: fc.uuid() },
          { weight: 1, arbitrary: among("same-1", "same-2") },
        ),
        occurredAt: time,
        data,
      })
      .map(
        ({ leadId, ...event }): HistoryEntry => ({
          topic: topicOf(type) as string,
          leadId,
          event: { ...event, leadId, event: type },
        }),
      ),
  })),
);

/** A history in the order in which it was produced; some of its events are sent again, later. */
export const history = fc
  .tuple(
    fc.array(entry, { minLength: 1, maxLength: 120, size: "max" }),
    fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 12 }),
  )
  .map(([entries, repeats]) => {
    const sent = [...entries];
    for (const [which, later] of repeats) {
      const index = which % sent.length;
      const place = index + 1 + (later % (sent.length - index));
      sent.splice(place, 0, sent[index] as HistoryEntry);
    }
    return sent;
  });

const PARTITIONS = 2;

/** The records of a history: each topic has two partitions, a lead's events are all in one. */
export function recordsOf(entries: readonly HistoryEntry[]): SourceRecord[] {
  const offsets = new Map<string, number>();
  return entries.map(({ topic, leadId, event }) => {
    const partition = LEADS.indexOf(leadId) % PARTITIONS;
    const offset = offsets.get(`${topic}/${partition}`) ?? 0;
    offsets.set(`${topic}/${partition}`, offset + 1);
    const value = event === null ? null : Buffer.from(JSON.stringify(event));
    return { topic, partition, offset, key: Buffer.from(leadId), timestamp: 0, headers: {}, value };
  });
}

/** Another order in which the records may arrive: each partition keeps its own. */
export function interleaved(records: readonly SourceRecord[], choices: readonly number[]): SourceRecord[] {
  const queues = new Map<string, SourceRecord[]>();
  for (const record of records) {
    const name = `${record.topic}/${record.partition}`;
    queues.set(name, [...(queues.get(name) ?? []), record]);
  }
  const merged: SourceRecord[] = [];
  for (let step = 0; merged.length < records.length; step++) {
    const waiting = [...queues.values()].filter((queue) => queue.length > 0);
    const queue = waiting[(choices[step % choices.length] ?? 0) % waiting.length] as SourceRecord[];
    merged.push(queue.shift() as SourceRecord);
  }
  return merged;
}
