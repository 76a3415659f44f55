import { afterEach, beforeEach, expect, test } from "vitest";
import { openApi } from "../../harness/api.ts";
import { createSpeaker } from "../../harness/events.ts";
import { openStream } from "../../harness/sse.ts";
import { until } from "../../harness/wait.ts";

let api: ReturnType<typeof openApi>;
let speaker: ReturnType<typeof createSpeaker>;
let address: string;

beforeEach(async () => {
  api = openApi();
  speaker = createSpeaker();
  address = await api.server.listen({ port: 0, host: "127.0.0.1" });
  tell("lead-1", "lead.created", { firstName: "Ann" });
});
afterEach(() => api.close());

const tell = (leadId: string, event: string, data: Record<string, unknown> = {}, workspaceId = "ws-1") =>
  api.projector.foldBatch([speaker.say({ leadId, event, data, workspaceId })]);
const open = (path: string, headers: Record<string, string> = {}) =>
  openStream(`${address}${path}`, { "x-api-key": api.key, ...headers });
const ALL = "/api/v1/lead-views/events";

test("a lead's stream tells of its changes with the view as the read gives it, and of its erase", async () => {
  const stream = await open("/api/v1/leads/lead-1/events");
  await until("ready", () => stream.events.length === 1);
  tell("lead-2", "lead.created");
  tell("lead-1", "lead.updated", { firstName: "Anna" });
  tell("lead-1", "lead.updated", { firstName: "Anna" });
  await until("the change", () => stream.changes().length === 1);
  const [change] = stream.changes();
  expect(change?.data).toMatchObject({
    leadId: "lead-1",
    version: 2,
    status: "IN_PROGRESS",
    changed: ["lead"],
  });
  expect(change?.data.view).toEqual((await api.get("lead-1")).json());
  api.projector.foldBatch([speaker.record("omni.lead", { key: Buffer.from("lead-1") })]);
  await until("the erase", () => stream.changes().length === 2);
  expect(stream.changes()[1]).toMatchObject({
    event: "lead_view.erased",
    data: { leadId: "lead-1", version: 3 },
  });
  stream.kill();
});

test("the workspace's stream has no other workspace's leads, and keeps presigned URLs out", async () => {
  const stream = await open(ALL);
  await until("ready", () => stream.events.length === 1);
  tell("foreign", "lead.created", {}, "ws-2");
  api.projector.foldBatch([
    speaker.say({
      event: "document.received",
      data: { id: "d", storageKey: "k", metadata: { signedUrl: "" } },
    }),
  ]);
  await until("the change", () => stream.changes().length === 1);
  expect(stream.changes()[0]?.data.view.documents).toMatchObject([
    { id: "d", signedUrl: null, metadata: { signedUrl: "" } },
  ]);
  expect(stream.changes()[0]?.data.changed).toEqual(["documents"]);
  stream.kill();
});

test("a stream can be narrowed to a status and to changed fields", async () => {
  const completed = await open(`${ALL}?status=COMPLETED`);
  const logs = await open(`${ALL}?changed=actionLogs,lastAction`);
  await until("both ready", () => completed.events.length + logs.events.length === 2);
  tell("lead-1", "lead.updated", { firstName: "Anna" });
  tell("lead-1", "action_log.created", { id: "log" });
  tell("lead-1", "lead.completed");
  await until("the completion", () => completed.changes().length === 1);
  await until("the log", () => logs.changes().length === 1);
  expect(completed.changes()[0]?.data.status).toBe("COMPLETED");
  expect(logs.changes()[0]?.data.view.actionLogs).toMatchObject([{ id: "log" }]);
  // Away while the log changed and then the name: the log's change is not hidden by the later one.
  const { id } = logs.events.at(-1) ?? { id: 0 };
  tell("lead-1", "action_log.updated", { id: "log", summary: "New" });
  tell("lead-1", "lead.updated", { firstName: "Annie" });
  const resumed = await open(`${ALL}?changed=actionLogs`, { "last-event-id": String(id) });
  await until("the missed change", () => resumed.changes().length === 1);
  expect(resumed.changes()[0]?.data.changed).toEqual(["lead", "actionLogs"]);
  for (const stream of [completed, logs, resumed]) stream.kill();
});

test.each([
  ["no key", ALL, {}, 401],
  ["another workspace's lead", "/api/v1/leads/lead-1/events", { "x-api-key": "other" }, 404],
  ["an unknown lead", "/api/v1/leads/nobody/events", undefined, 404],
  ["an unknown status", `${ALL}?status=NOPE`, undefined, 400],
  ["an unknown field", `${ALL}?changed=nope`, undefined, 400],
  ["a Last-Event-ID that is none", ALL, { "last-event-id": "x" }, 400],
])("%s is refused as the read refuses it", async (_what, path, headers, status) => {
  const own = { "x-api-key": api.key, ...headers } as Record<string, string>;
  if (own["x-api-key"] === "other") own["x-api-key"] = api.otherKey;
  if (status === 401) delete own["x-api-key"];
  const response = await api.server.inject({ url: path, headers: own });
  expect(response.statusCode).toBe(status);
});

test("a client that is cut off 100 times and resumes has the latest version of every lead", async () => {
  const leads = Array.from({ length: 30 }, (_, index) => `lead-${index}`);
  for (const leadId of leads.slice(2)) tell(leadId, "lead.created");
  const seen = new Map<string, number>();
  let last = 0;
  let going = true;
  const writing = (async () => {
    for (let round = 0; going; round++) {
      tell(leads[(round * 7) % leads.length] as string, "lead.updated", { firstName: `Round ${round}` });
      if (round % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  const absorb = (stream: Awaited<ReturnType<typeof openStream>>) => {
    for (const { id, data } of stream.changes()) {
      expect(id).toBeGreaterThan(last);
      last = id;
      expect(data.version).toBeGreaterThan(seen.get(data.leadId) ?? 0);
      seen.set(data.leadId, data.version);
    }
  };
  for (let cut = 0; cut < 100; cut++) {
    const stream = await open(ALL, { "last-event-id": String(last) });
    await until("something", () => stream.changes().length > cut % 5);
    stream.kill();
    absorb(stream);
  }
  going = false;
  await writing;
  const final = await open(ALL, { "last-event-id": String(last) });
  const latest = api.projector.store.views.after(0, 1_000);
  await until(
    "the last change",
    () => Math.max(last, ...final.events.map(({ id }) => id)) >= (latest.at(-1)?.number ?? 0),
  );
  absorb(final);
  final.kill();
  for (const { leadId, number } of latest) expect(seen.get(leadId)).toBe(number);
});

test("a reader that does not read is dropped, and others are served", async () => {
  const slow = await open(ALL);
  const quick = await open(ALL);
  await until("both ready", () => slow.events.length + quick.events.length === 2);
  slow.response.pause();
  for (let round = 0; round < 60; round++) {
    tell("lead-1", "lead.updated", { activitySummary: `${round} ${"x".repeat(200_000)}` });
    await until("the quick reader", () => quick.changes().length > round);
  }
  slow.response.resume();
  await until("the slow reader's end", () => slow.response.complete || slow.response.destroyed);
  expect(slow.changes().length).toBeLessThan(60);
  quick.kill();
});
