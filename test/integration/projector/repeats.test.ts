// Rule: repeats.
import { afterEach, beforeEach, expect, test } from "vitest";
import type { SourceRecord } from "../../../projector/source/source.ts";
import { createSpeaker } from "../../harness/events.ts";
import { deadLettersOf, openProjector, viewsOf } from "../../harness/projector.ts";

let projector: ReturnType<typeof openProjector>;
let speaker: ReturnType<typeof createSpeaker>;
beforeEach(() => {
  projector = openProjector();
  speaker = createSpeaker();
});
afterEach(() => projector.close());

const view = () => JSON.parse(viewsOf(projector.store)["lead-1"]?.body ?? "null");
const again = ({ topic, key, value, headers }: SourceRecord) =>
  speaker.record(topic, { key, value, headers });
const named = (firstName: string) => speaker.say({ event: "lead.updated", data: { firstName } });
const fold = (...records: SourceRecord[]) => projector.foldBatch(records);

test("an event that is sent again after newer ones changes nothing, in the same batch or a later one", () => {
  const [created, ann, anna] = [speaker.say({ event: "lead.created" }), named("Ann"), named("Anna")];
  fold(created, ann, anna, again(ann));
  expect(view().lead.firstName).toBe("Anna");
  fold(again(ann), again(created));
  expect(view().lead.firstName).toBe("Anna");
  expect(deadLettersOf(projector.store)).toEqual([]);
});

test("what was removed, completed or re-opened meanwhile stays so", () => {
  fold(speaker.say({ event: "lead.created" }));
  const item = speaker.say({ event: "checklist_item.added", data: { item: { id: "i" } } });
  const completed = speaker.say({ event: "lead.completed" });
  fold(
    item,
    completed,
    speaker.say({ event: "lead.reopened" }),
    speaker.say({ event: "checklist_item.removed", data: { id: "i" } }),
    again(item),
    again(completed),
  );
  expect(view()).toMatchObject({ status: "IN_PROGRESS", checklistItems: [] });
});

test("a topic remembers its lead's last 128 events, and no more", () => {
  fold(speaker.say({ event: "lead.created" }));
  const first = named("First");
  fold(first);
  const others = Array.from({ length: 127 }, (_, index) => named(`Name ${index}`));
  fold(...others);
  fold(again(first));
  expect(view().lead.firstName).toBe("Name 126");
  // Seen again just now, it is remembered for 127 more.
  fold(...Array.from({ length: 127 }, (_, index) => named(`Other ${index}`)), again(first));
  expect(view().lead.firstName).toBe("Other 126");
  fold(...Array.from({ length: 128 }, (_, index) => named(`Last ${index}`)), again(first));
  expect(view().lead.firstName).toBe("First");
});

test("events of other topics, other leads and other workspaces are no repeats", () => {
  const { topic, key, value } = createSpeaker("other").say({
    event: "lead.updated",
    data: { firstName: "Ann" },
  });
  const envelope = JSON.parse(String(value));
  const as = (changes: object, more: Partial<SourceRecord> = {}) =>
    speaker.record(more.topic ?? topic, {
      key,
      ...more,
      value: Buffer.from(JSON.stringify({ ...envelope, ...changes })),
    });
  fold(
    speaker.say({ event: "lead.created" }),
    speaker.say({ leadId: "lead-2", event: "lead.created" }),
    as({ workspaceId: "ws-2" }),
    as({}),
    as({ leadId: "lead-2" }, { key: Buffer.from("lead-2") }),
    as({ event: "action_log.created", data: { id: "log" } }, { topic: "omni.action_log" }),
  );
  expect(view()).toMatchObject({ lead: { firstName: "Ann" }, actionLogs: [{ id: "log" }] });
  expect(JSON.parse(viewsOf(projector.store)["lead-2"]?.body ?? "").lead.firstName).toBe("Ann");
});

test("an event that could not be folded is not remembered: sent again, it may find what it lacked", () => {
  const update = speaker.say({ event: "action_log.updated", data: { id: "log", summary: "s" } });
  fold(
    speaker.say({ event: "lead.created" }),
    update,
    speaker.say({ event: "action_log.created", data: { id: "log" } }),
    again(update),
  );
  expect(deadLettersOf(projector.store)).toHaveLength(1);
  expect(view().actionLogs).toEqual([{ id: "log", summary: "s" }]);
});

test("a CloudEvent's id counts within its source", () => {
  const event = (source: string, firstName: string) =>
    speaker.record("omni.lead", {
      headers: {
        ce_specversion: "1.0",
        ce_id: "1",
        ce_type: "lead.updated",
        ce_source: source,
        ce_workspaceid: "ws-1",
      },
      value: Buffer.from(JSON.stringify({ firstName })),
    });
  fold(speaker.say({ event: "lead.created" }), event("/a", "Ann"), event("/b", "Bob"), event("/a", "Ann"));
  expect(view().lead.firstName).toBe("Bob");
});

test("repeats are counted as such", () => {
  const created = speaker.say({ event: "lead.created" });
  projector.projection.fold(created);
  projector.projection.fold(again(created));
  expect(projector.projection.commit().outcomes).toEqual([
    { type: "lead.created", outcome: "folded", events: 1 },
    { type: "lead.created", outcome: "repeated", events: 1 },
  ]);
});

test("webhook bodies have no ids of their own: each of them counts", () => {
  const body = (firstName: string) =>
    speaker.record("omni.webhook", {
      value: Buffer.from(
        JSON.stringify({
          event: "lead.updated",
          workspaceId: "ws-1",
          occurredAt: "2026-03-01T00:00:00Z",
          data: { leadId: "lead-1", externalId: null, firstName },
        }),
      ),
    });
  fold(speaker.say({ event: "lead.created" }), body("Ann"), body("Anna"), body("Ann"));
  expect(view().lead.firstName).toBe("Ann");
});
