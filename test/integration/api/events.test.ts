import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createKey, hashKey, revokeKey } from "../../../shared/keys.ts";
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
const numberOf = (leadId: string) => api.projector.store.views.get(leadId)?.number;
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
    version: numberOf("lead-1"),
    status: "IN_PROGRESS",
    changed: ["lead"],
  });
  expect(change?.data.view).toEqual((await api.get("lead-1")).json());
  api.projector.foldBatch([speaker.record("omni.lead", { key: Buffer.from("lead-1") })]);
  await until("the erase", () => stream.changes().length === 2);
  expect(stream.changes()[1]).toMatchObject({
    event: "lead_view.erased",
    data: { leadId: "lead-1", version: numberOf("lead-1") },
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

describe("many, slow and large", () => {
  beforeEach(async () => {
    await api.close();
    api = openApi({
      feedLimits: { stallMs: 1_500, mostWaitingBytes: 8 * 1024 ** 2 },
      env: { API_STREAMS_PER_KEY: "40" },
    });
    speaker = createSpeaker();
    address = await api.server.listen({ port: 0, host: "127.0.0.1" });
    tell("lead-1", "lead.created", { firstName: "Ann" });
  });
  const large = (leadId: string, bytes: number) => {
    for (let log = 0; log < bytes; log += 500_000) {
      const data = { id: `log-${log}`, output: "x".repeat(Math.min(bytes - log, 500_000)) };
      tell(leadId, "action_log.created", data);
    }
  };
  const metric = async (name: string) =>
    Number(new RegExp(`^${name} (\\d+)`, "m").exec((await api.server.inject("/metrics")).body)?.[1]);

  test("a reader that takes nothing is dropped, others are served; one that is slow gets each lead's latest view", async () => {
    const [stalled, slow, quick] = await Promise.all([open(ALL), open(ALL), open(ALL)]);
    await until("all ready", () => [stalled, slow, quick].every(({ events }) => events.length === 1));
    stalled.response.pause();
    slow.response.pause();
    for (let round = 0; round < 60; round++) {
      tell("lead-1", "lead.updated", { activitySummary: `${round} ${"x".repeat(200_000)}` });
      await until("the quick reader", () => quick.changes().at(-1)?.data.version === numberOf("lead-1"));
      // It takes a little now and then.
      slow.response.resume();
      await new Promise((resolve) => setImmediate(resolve));
      slow.response.pause();
    }
    slow.response.resume();
    await until("the slow reader's latest", () => slow.changes().at(-1)?.data.version === numberOf("lead-1"));
    await until("the stalled one to be dropped", async () => (await metric("lead_view_subscribers")) === 2);
    for (const stream of [stalled, slow, quick]) stream.kill();
  });

  test("a view larger than any buffer gets to its readers, live and catching up", async () => {
    const live = await open(ALL);
    await until("ready", () => live.events.length === 1);
    large("lead-1", 4_000_000);
    await until("live", () => live.changes().at(-1)?.data.version === numberOf("lead-1"));
    const late = await open(`${ALL}?from=start`);
    await until("late", () => late.changes().at(-1)?.data.version === numberOf("lead-1"));
    expect(late.changes()[0]?.data.view.actionLogs).toHaveLength(8);
    for (const stream of [live, late]) stream.kill();
  });

  test("many that take nothing while they catch up have a bounded memory together, and are dropped", async () => {
    for (let lead = 0; lead < 10; lead++) {
      tell(`large-${lead}`, "lead.created");
      large(`large-${lead}`, 1_500_000);
    }
    const streams = [];
    for (let stream = 0; stream < 30; stream++) {
      const one = await open(`${ALL}?from=start`);
      one.response.pause();
      streams.push(one);
    }
    const waiting = await metric("lead_view_subscribers_waiting_bytes");
    expect(waiting).toBeLessThan(8 * 1024 ** 2 + 2_000_000);
    await until("all to be dropped", async () => (await metric("lead_view_subscribers")) === 0, 30_000);
    for (const stream of streams) stream.kill();
  });

  test("a revoked key ends its streams within a second, in every state", async () => {
    for (let lead = 0; lead < 20; lead++) {
      tell(`large-${lead}`, "lead.created");
      large(`large-${lead}`, 500_000);
    }
    const key = createKey(api.keyStore, "ws-1", "to be revoked");
    const live = await openStream(`${address}${ALL}`, { "x-api-key": key });
    const stalled = await openStream(`${address}${ALL}?from=start`, { "x-api-key": key });
    stalled.response.pause();
    await until(
      "both",
      async () => (await metric("lead_view_subscribers_catching_up")) === 1 && live.events.length === 1,
    );
    revokeKey(api.keyStore, hashKey(key).toString("hex"));
    // A second on a machine that has nothing else to do.
    await until("no stream", async () => (await metric("lead_view_subscribers")) === 0, 5_000);
    await until("its last word", () => live.events.at(-1)?.event === "ended");
    stalled.kill();
  });

  test("a closing server ends every stream, also one that takes nothing while it catches up", async () => {
    for (let lead = 0; lead < 20; lead++) {
      tell(`large-${lead}`, "lead.created");
      large(`large-${lead}`, 500_000);
    }
    const live = await open(ALL);
    const stalled = await open(`${ALL}?from=start`);
    stalled.response.pause();
    await until("both", async () => (await metric("lead_view_subscribers")) === 2);
    const from = performance.now();
    api.server.drain();
    await until("the end", () => live.response.complete);
    expect((await api.server.inject({ url: ALL, headers: { "x-api-key": api.key } })).statusCode).toBe(503);
    await api.server.close();
    expect(performance.now() - from).toBeLessThan(2_000);
    stalled.kill();
  });

  test("a key has so many streams and no more, while others' and reads go on; one that ends makes room", async () => {
    const streams = [];
    for (let stream = 0; stream < 40; stream++) streams.push(await open(ALL));
    const refused = await api.server.inject({ url: ALL, headers: { "x-api-key": api.key } });
    expect(refused.statusCode).toBe(429);
    expect(refused.headers["retry-after"]).toBe("5");
    const other = await open(ALL, { "x-api-key": api.otherKey });
    expect(other.response.statusCode).toBe(200);
    expect((await api.get("lead-1")).statusCode).toBe(200);
    streams[0]?.kill();
    await until("room", async () => {
      const again = await open(ALL);
      if (again.response.statusCode === 200) streams.push(again);
      return again.response.statusCode === 200;
    });
    for (const stream of [...streams, other]) stream.kill();
  });
});

test("who joins while another catches up misses nothing when the last live one leaves", async () => {
  for (let lead = 0; lead < 500; lead++) tell(`more-${lead}`, "lead.created");
  const live = await open(ALL);
  await until("ready", () => live.events.length === 1);
  const late = await open(`${ALL}?from=start`);
  live.kill();
  tell("lead-1", "lead.updated", { firstName: "Anna" });
  await until("all", () => late.events.some(({ event }) => event === "caught_up"));
  tell("lead-1", "lead.updated", { firstName: "Annie" });
  await until("the change after", () => late.changes().at(-1)?.data.view?.lead.firstName === "Annie");
  late.kill();
});

test("one request gives all there is and what follows, without a gap; what is gone is in it only if it was there", async () => {
  for (let lead = 0; lead < 300; lead++) tell(`some-${lead}`, "lead.created");
  api.projector.foldBatch([speaker.record("omni.lead", { key: Buffer.from("some-7") })]);
  const stream = await open(`${ALL}?from=start`);
  for (let lead = 0; lead < 300; lead += 3) tell(`some-${lead}`, "lead.updated", { firstName: "Again" });
  api.projector.foldBatch([speaker.record("omni.lead", { key: Buffer.from("some-8") })]);
  const kept = () => {
    const views = new Map<string, number>();
    for (const { event, data } of stream.changes()) {
      if (event === "lead_view.erased") views.delete(data.leadId);
      else views.set(data.leadId, data.version);
    }
    return views;
  };
  const rows = api.projector.store.views.after(0, 1_000).filter(({ body }) => body !== null);
  await until("the API's own state", () => {
    const views = kept();
    return views.size === rows.length && rows.every(({ leadId, number }) => views.get(leadId) === number);
  });
  expect(stream.changes().some(({ data }) => data.leadId === "some-7")).toBe(false);
  stream.kill();
});

test("an id that was never given begins again from the start, and says so", async () => {
  const stream = await open(ALL, { "last-event-id": "9000000000000000" });
  await until("the start", () => stream.events.some(({ event }) => event === "caught_up"));
  expect(stream.events.map(({ event }) => event)).toEqual([
    "ready",
    "reset",
    "lead_view.changed",
    "caught_up",
  ]);
  const lead = await open("/api/v1/leads/lead-1/events", { "last-event-id": "9000000000000000" });
  await until("the lead", () => lead.events.some(({ event }) => event === "caught_up"));
  expect(lead.events.map(({ event }) => event)).toEqual(["ready", "reset", "lead_view.changed", "caught_up"]);
  stream.kill();
  lead.kill();
});
