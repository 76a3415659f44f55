// Rules of the view that random histories meet too rarely.
import { afterEach, beforeEach, expect, test } from "vitest";
import { createSpeaker } from "../../harness/events.ts";
import { openProjector, viewsOf } from "../../harness/projector.ts";

let projector: ReturnType<typeof openProjector>;
let speaker: ReturnType<typeof createSpeaker>;
beforeEach(() => {
  projector = openProjector();
  speaker = createSpeaker();
});
afterEach(() => projector.close());

const view = (leadId: string) => JSON.parse(viewsOf(projector.store)[leadId]?.body ?? "null");
const matches = (leadId: string): string[] => view(leadId).matchingLeads.map(({ id }: { id: string }) => id);
const created = (leadId: string, data: Record<string, unknown>) =>
  speaker.say({ leadId, event: "lead.created", data });

test("an identity that more than 200 leads share matches nobody, and does again once it is down to 200", () => {
  const phoneNumber = "+16782319992";
  const leads = Array.from({ length: 200 }, (_, index) => created(`lead-${index}`, { phoneNumber }));
  projector.foldBatch(leads);
  expect(matches("lead-0")).toHaveLength(50);
  projector.foldBatch([created("one-more", { phoneNumber: "(678) 231-9992" })]);
  expect(matches("lead-0")).toEqual([]);
  expect(matches("one-more")).toEqual([]);
  projector.foldBatch([
    speaker.say({ leadId: "one-more", event: "lead.updated", data: { phoneNumber: null } }),
  ]);
  expect(matches("lead-0")).toHaveLength(50);
  projector.foldBatch([created("another", { phoneNumber })]);
  expect(matches("lead-0")).toEqual([]);
  projector.foldBatch([speaker.record("omni.lead", { key: Buffer.from("another") })]);
  expect(matches("lead-199")).toHaveLength(50);
});

test("a change of a name, a deletion, a restore and an erase refresh the matching leads on the other side", () => {
  const email = "a@example.com";
  projector.foldBatch([created("a", { email, firstName: "Ann" }), created("b", { email })]);
  const tell = (event: string, data = {}) => projector.foldBatch([speaker.say({ leadId: "a", event, data })]);
  tell("lead.updated", { firstName: "Anna" });
  expect(view("b").matchingLeads).toMatchObject([{ id: "a", firstName: "Anna", matchedOn: ["email"] }]);
  tell("lead.deleted", { deletedAt: "2026-03-02T00:00:00.000Z" });
  expect(matches("b")).toEqual([]);
  expect(matches("a")).toEqual(["b"]);
  tell("lead.restored");
  expect(matches("b")).toEqual(["a"]);
  projector.foldBatch([speaker.record("omni.lead", { key: Buffer.from("a") })]);
  expect(matches("b")).toEqual([]);
  expect(view("a")).toBeNull();
});

test("matching never crosses a workspace", () => {
  const data = { email: "a@example.com" };
  projector.foldBatch([
    created("a", data),
    speaker.say({ leadId: "b", workspaceId: "ws-2", event: "lead.created", data }),
  ]);
  expect(matches("a")).toEqual([]);
  expect(matches("b")).toEqual([]);
});

test("leads of the same time stand in the order of their ids' code points", () => {
  const data = { email: "a@example.com", createdAt: "2026-03-01T00:00:00.000Z" };
  projector.foldBatch([created("self", data), created("x\u{1F600}", data), created("x\uFFFD", data)]);
  expect(matches("self")).toEqual(["x\uFFFD", "x\u{1F600}"]);
});

test("of more than 100 action logs the most recent are listed, and older ones still are the last action, follow-up and draft", () => {
  const at = (minute: number) => new Date(Date.UTC(2026, 2, 1, 0, minute)).toISOString();
  const log = (id: string, minute: number, more: Record<string, unknown>) =>
    speaker.say({ event: "action_log.created", data: { id, createdAt: at(minute), ...more } });
  projector.foldBatch([
    created("lead-1", {}),
    log("out", 0, { type: "FOLLOW_UP_MESSAGE", status: "COMPLETED", completedAt: at(0) }),
    log("tool", 0, { type: "TOOL_CALL", status: "COMPLETED", parentActionId: "out" }),
    log("next", 1, { type: "FOLLOW_UP_MESSAGE", status: "PENDING", scheduledAt: at(5) }),
    log("draft", 2, { type: "MESSAGE", status: "AWAITING_APPROVAL" }),
    ...Array.from({ length: 150 }, (_, index) => log(`log-${index}`, index + 3, { type: "API_ACTIVITY" })),
  ]);
  const { actionLogs, lastAction, nextFollowUp, nextDraft } = view("lead-1");
  expect(actionLogs).toHaveLength(100);
  expect(actionLogs[0].id).toBe("log-149");
  expect(lastAction).toMatchObject({ id: "out", toolCalls: [{ id: "tool" }] });
  expect(nextFollowUp.id).toBe("next");
  expect(nextDraft.id).toBe("draft");
});

test("unknown fields follow the known ones by name, also those that JavaScript would put first", () => {
  projector.foldBatch([
    created("lead-1", { tags: ["vip"], zeta: 1 }),
    speaker.say({
      event: "checklist_item.added",
      data: { item: { zeta: 1, "7": 2, alpha: 3, id: "i", checklistItem: { "9": 1, label: "L", id: "ci" } } },
    }),
  ]);
  const body = viewsOf(projector.store)["lead-1"]?.body ?? "";
  expect(body).toContain(
    '"items":[{"id":"i","checklistItem":{"id":"ci","label":"L","9":1},"7":2,"alpha":3,"zeta":1}]',
  );
  expect(body).not.toContain("vip");
});

test("times come out in UTC with milliseconds, whatever they came in as", () => {
  projector.foldBatch([
    created("lead-1", { createdAt: "2026-03-01T01:30:00+02:00", updatedAt: "2026-03-01T00:00:00.123456Z" }),
  ]);
  expect(view("lead-1").lead).toMatchObject({
    createdAt: "2026-02-28T23:30:00.000Z",
    updatedAt: "2026-03-01T00:00:00.123Z",
  });
});

test("what arrives for an erased lead is dropped and counted, a new creation too", () => {
  projector.foldBatch([created("lead-1", {}), speaker.record("omni.lead", {})]);
  projector.foldBatch([
    created("lead-1", {}),
    speaker.say({ event: "action_log.created", data: { id: "l" } }),
  ]);
  expect(view("lead-1")).toBeNull();
  expect(
    projector.store.db.prepare("SELECT dropped FROM erased WHERE lead_id = 'lead-1'").pluck().get(),
  ).toBe(2);
});
