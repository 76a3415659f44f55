import { createDecoder } from "../../../projector/decode/decode.ts";
import { createProjection } from "../../../projector/projection/projection.ts";
import { openStore } from "../../../projector/store/store.ts";

/** What a lead has much of. */
export type Burden = "followUps" | "toolCalls" | "documents" | "items" | "links" | "matching";

const EVENTS = 300;
const WARM_UP = 100;
const decode = createDecoder({ maxEventBytes: 1_048_576, webhookWorkspaceId: undefined });

type Fields = Record<string, unknown>;
type Say = (topic: string, event: string, data: Fields, leadId?: string) => void;

/** Microseconds that a committed event takes in a lead with so many of something: the median of many. */
export function costOfOneEvent(file: string, burden: Burden, count: number): number {
  const store = openStore(file);
  const projection = createProjection(store, decode);
  const offsets = new Map<string, number>();
  const say: Say = (topic, event, data, leadId = "lead") => {
    const offset = offsets.get(topic) ?? 0;
    offsets.set(topic, offset + 1);
    const occurredAt = "2026-03-01T00:00:00.000Z";
    const envelope = { id: `${topic}-${offset}`, event, occurredAt, workspaceId: "ws", leadId, data };
    const value = Buffer.from(JSON.stringify(envelope));
    const record = {
      topic,
      partition: 0,
      offset,
      key: Buffer.from(leadId),
      timestamp: 0,
      headers: {},
      value,
    };
    projection.fold(record);
    projection.advance([{ topic, partition: 0, nextOffset: offset + 1, last: null, cursor: null }]);
  };
  say("omni.lead", "lead.created", { firstName: "Heavy", email: "heavy@example.com" });
  const touch = BURDENS[burden](say, count);
  projection.commit();
  const times: number[] = [];
  for (let index = 0; index < WARM_UP + EVENTS; index++) {
    const start = performance.now();
    touch(index);
    projection.commit();
    if (index >= WARM_UP) times.push((performance.now() - start) * 1_000);
  }
  store.close();
  return times.sort((a, b) => a - b)[times.length >> 1] as number;
}

const timeOf = (index: number): string => new Date(1_767_225_600_000 + index * 1_000).toISOString();

/** Another one of them each time, all over the lead. */
const any = (index: number, count: number): number => (index * 17) % count;

/** Makes a lead with many of something, and gives the event that then touches one of them. */
const BURDENS: Readonly<Record<Burden, (say: Say, count: number) => (index: number) => void>> = {
  followUps(say, count) {
    const body = "Hello there. ".repeat(10);
    for (let index = 0; index < count; index++) {
      const at = timeOf(index);
      const messages = [{ id: "m", channel: "SMS", direction: "OUTBOUND", body, documents: [] }];
      const log = {
        id: `log-${index}`,
        type: "FOLLOW_UP_MESSAGE",
        status: "COMPLETED",
        summary: "A follow-up",
      };
      say("omni.action_log", "action_log.created", { ...log, createdAt: at, completedAt: at, messages });
    }
    return (index) =>
      say("omni.action_log", "action_log.updated", {
        id: `log-${any(index, count)}`,
        summary: `Round ${index}`,
      });
  },
  toolCalls(say, count) {
    const action = { id: "action", type: "FOLLOW_UP_MESSAGE", status: "COMPLETED", createdAt: timeOf(0) };
    say("omni.action_log", "action_log.created", { ...action, completedAt: timeOf(0) });
    const call = (index: number) => {
      const input = { toolType: "lookup", query: "Something to look up. ".repeat(5) };
      const more = { parentActionId: "action", createdAt: timeOf(index), input, output: { found: true } };
      say("omni.action_log", "action_log.created", {
        id: `call-${index}`,
        type: "TOOL_CALL",
        status: "COMPLETED",
        ...more,
      });
    };
    for (let index = 0; index < count; index++) call(index);
    return (index) =>
      index % 2 === 0
        ? call(count + index)
        : say("omni.action_log", "action_log.updated", {
            id: `call-${any(index, count)}`,
            summary: `Round ${index}`,
          });
  },
  documents(say, count) {
    for (let index = 0; index < count; index++) say("omni.document", "document.received", documentOf(index));
    return (index) =>
      say("omni.document", "document.extracted", {
        id: `document-${any(index, count)}`,
        summary: `Round ${index}`,
      });
  },
  items(say, count) {
    say("omni.checklist", "checklist.assigned", { groups: [checklistOf(count)] });
    return (index) =>
      say("omni.checklist", "checklist_item.updated", {
        id: `item-${any(index, count)}`,
        value: `Round ${index}`,
      });
  },
  links(say, count) {
    say("omni.checklist", "checklist.assigned", { groups: [checklistOf(10)] });
    for (let index = 0; index < count / 10; index++)
      say("omni.document", "document.received", documentOf(index));
    const link = (index: number, round: number) => {
      const ends = {
        leadChecklistItemId: `item-${index % 10}`,
        documentId: `document-${index % (count / 10)}`,
      };
      const validationResult = { otherNotes: `Round ${round}` };
      say("omni.document", "document.linked", { id: `link-${index}`, ...ends, validationResult });
    };
    for (let index = 0; index < count; index++) link(index, 0);
    return (index) => link(any(index, count), index);
  },
  matching(say, count) {
    for (let index = 0; index < count; index++)
      say("omni.lead", "lead.created", { email: "heavy@example.com" }, `other-${index}`);
    return (index) => say("omni.lead", "lead.updated", { firstName: `Round ${index}` });
  },
};

const documentOf = (index: number) => ({
  id: `document-${index}`,
  filename: `statement-${index}.pdf`,
  mimeType: "application/pdf",
  size: 153_143,
  storageKey: `documents/lead/document-${index}.pdf`,
  metadata: { extractionStatus: "completed" },
  createdAt: timeOf(index),
});

const checklistOf = (items: number) => ({
  id: "group",
  name: "Business information",
  conditions: null,
  items: Array.from({ length: items }, (_, index) => ({
    id: `item-${index}`,
    checklistItemId: `ci-${index}`,
    value: null,
    status: "TODO",
    itemOverride: null,
    checklistItem: {
      id: `ci-${index}`,
      code: `code_${index}`,
      label: `Question ${index}`,
      fieldType: "TEXT",
    },
  })),
});
