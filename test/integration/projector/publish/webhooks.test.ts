import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, expect, test } from "vitest";
import { publicAddress, rangeOf } from "../../../../projector/publish/webhooks/address.ts";
import { deliverWebhooks } from "../../../../projector/publish/webhooks/deliver.ts";
import {
  type Endpoint,
  type Endpoints,
  openEndpoints,
  relayOf,
  webhooksFile,
} from "../../../../projector/publish/webhooks/endpoints.ts";
import { WEBHOOK_HANDLERS, type WebhookOwner } from "../../../../projector/publish/webhooks/requests.ts";
import { readConfig } from "../../../../shared/config.ts";
import { createLog } from "../../../../shared/log.ts";
import { createSpeaker } from "../../../harness/events.ts";
import { openProjector } from "../../../harness/projector.ts";
import { type Received, startReceiver } from "../../../harness/receiver.ts";
import { until } from "../../../harness/wait.ts";

let folder: string;
let projector: ReturnType<typeof openProjector>;
let endpoints: Endpoints;
let receiver: Awaited<ReturnType<typeof startReceiver>>;
let stop: () => Promise<void>;
let owner: WebhookOwner;
let speaker: ReturnType<typeof createSpeaker>;
const { signal } = new AbortController();

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "webhooks-"));
  projector = openProjector(join(folder, "views.sqlite"));
  endpoints = openEndpoints(webhooksFile(folder));
  receiver = await startReceiver();
  speaker = createSpeaker();
  stop = async () => undefined;
  owner = {
    config: readConfig({ DATABASE_DIR: folder, WEBHOOKS_ALLOW_PRIVATE: "true" }),
    betweenCommits: async (work) => work(projector.store),
  };
});
afterEach(async () => {
  await stop();
  receiver.close();
  endpoints.close();
  projector.close();
  rmSync(folder, { recursive: true, force: true });
});

const start = (more: Partial<Parameters<typeof deliverWebhooks>[0]> = {}) => {
  const stopping = new AbortController();
  const running = deliverWebhooks({
    store: projector.store,
    endpoints,
    databaseDir: folder,
    log: createLog("projector", "silent"),
    signal: stopping.signal,
    allowPrivate: true,
    schedule: [20, 20],
    answerMs: 1_500,
    ...more,
  });
  stop = async () => {
    stopping.abort();
    await running;
    stop = async () => undefined;
  };
};
const add = async (workspaceId = "ws-1"): Promise<Endpoint> => {
  const { id } = await WEBHOOK_HANDLERS["webhooks.add"](
    { workspaceId, url: receiver.url, force: true },
    { owner, signal },
  );
  return endpoints.get(id) as Endpoint;
};
const tell = (leadId: string, firstName: string, workspaceId = "ws-1") =>
  projector.foldBatch([
    speaker.say({
      leadId,
      workspaceId,
      event: projector.store.views.get(leadId) ? "lead.updated" : "lead.created",
      data: { firstName },
    }),
  ]);
const leadOf = ({ body }: Received): string => JSON.parse(body).data.leadId;
const nameOf = ({ body }: Received): string => JSON.parse(body).data.view?.lead.firstName;
const told = (leadId: string): string[] =>
  receiver.received.filter((one) => leadOf(one) === leadId).map(nameOf);
const undelivered = (endpoint: Endpoint) => projector.store.setAsides.held(relayOf(endpoint), "", 100);

test("a changed view is told to its workspace's endpoint, and verified by the convention's own package", async () => {
  const { secret, id } = await add();
  start();
  tell("hook-1", "Müller");
  tell("foreign", "Ann", "ws-2");
  await until("the message", () => receiver.received.length === 1);
  const [{ headers, body }] = receiver.received as [Received];
  expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toMatchObject({
    type: "lead_view.changed",
    data: {
      leadId: "hook-1",
      workspaceId: "ws-1",
      version: projector.store.views.get("hook-1")?.number,
      status: "IN_PROGRESS",
      view: { lead: { firstName: "Müller" } },
    },
  });
  const rotated = await WEBHOOK_HANDLERS["webhooks.rotate-secret"](
    { id, graceMs: 60_000 },
    { owner, signal },
  );
  projector.foldBatch([speaker.record("omni.lead", { key: Buffer.from("hook-1") })]);
  await until("the erase", () => receiver.received.length === 2);
  const last = receiver.received[1] as Received;
  for (const one of [secret, rotated.secret])
    expect(new Webhook(one).verify(last.body, last.headers as Record<string, string>)).toMatchObject({
      type: "lead_view.erased",
      data: { leadId: "hook-1" },
    });
});

test("a change that a receiver refuses delays its own lead alone, in order; after the last try it is undelivered", async () => {
  const endpoint = await add();
  receiver.answer((one) => (leadOf(one) === "large" ? 413 : 200));
  start({ schedule: [20, 300] });
  tell("large", "One");
  tell("other", "One");
  await until("the other", () => told("other").length === 1);
  tell("large", "Two");
  tell("other", "Two");
  await until("the other's next change", () => told("other").at(-1) === "Two");
  await until("giving up", () => undelivered(endpoint).length === 1);
  expect(undelivered(endpoint)).toMatchObject([{ name: "large", reason: "the receiver answered 413" }]);
  expect(told("large").at(-1)).toBe("Two");
  receiver.answer(() => 200);
  const before = told("large").length;
  expect(await WEBHOOK_HANDLERS["webhooks.redeliver"]({ id: endpoint.id }, { owner, signal })).toEqual({
    changes: 1,
  });
  await until("the redelivery", () => told("large").length > before);
  await until("nothing aside", () => projector.store.setAsides.counts().length === 0);
  expect(told("large").slice(before)).toEqual(["Two"]);
});

test("a receiver that hangs on one lead keeps no other lead waiting", async () => {
  await add();
  receiver.answer((one) => (leadOf(one) === "slow" ? "hang" : 200));
  start({ answerMs: 10_000 });
  tell("slow", "One");
  for (let lead = 0; lead < 30; lead++) tell(`quick-${lead}`, "One");
  await until("all others", () => new Set(receiver.received.map(leadOf)).size === 31, 9_000);
});

test("Retry-After is heeded for the whole endpoint; 410 disables it, and what changes meanwhile waits", async () => {
  const endpoint = await add();
  let busyUntil = 0;
  receiver.answer(() => {
    if (Date.now() >= busyUntil && busyUntil !== 0) return 200;
    busyUntil ||= Date.now() + 1_000;
    return { status: 503, headers: { "retry-after": "1" } };
  });
  start();
  tell("a", "One");
  await until("the refusal", () => receiver.received.length === 1);
  tell("b", "One");
  await until("both", () => told("a").length === 2 && told("b").length === 1);
  expect((receiver.received[1] as Received).at).toBeGreaterThanOrEqual(
    (receiver.received[0] as Received).at + 950,
  );
  receiver.answer(() => 410);
  tell("a", "Two");
  await until("disabled", () => endpoints.get(endpoint.id)?.disabledReason !== null);
  const before = receiver.received.length;
  tell("c", "One");
  receiver.answer(() => 200);
  expect(receiver.received.length).toBe(before);
  await WEBHOOK_HANDLERS["webhooks.enable"]({ id: endpoint.id }, { owner, signal });
  await until("what waited", () => told("c").length === 1 && told("a").at(-1) === "Two");
});

test("an endpoint that is away is tried with one change at a time, and after five days is disabled", async () => {
  const endpoint = await add();
  receiver.answer(() => 500);
  for (let lead = 0; lead < 50; lead++) tell(`lead-${lead}`, "One");
  start({ schedule: [60_000] });
  await until("the first failures", () => receiver.received.length >= 5);
  expect(receiver.received.length).toBeLessThanOrEqual(16);
  await stop();
  const db = new Database(webhooksFile(folder));
  db.prepare("UPDATE webhook_endpoint SET failing_since = ?").run(Date.now() - 5 * 86_400_000);
  db.close();
  start({ schedule: [60_000] });
  await until(
    "disabled",
    () => endpoints.get(endpoint.id)?.disabledReason === "it took nothing for five days",
  );
});

test("a locked or lost endpoints' file stops nothing: who is told goes on being told", async () => {
  await add();
  start();
  tell("a", "One");
  await until("the first", () => told("a").length === 1);
  const other = new Database(webhooksFile(folder));
  other.exec("BEGIN EXCLUSIVE");
  receiver.answer(() => 500);
  tell("a", "Two");
  await until("a failure", () => told("a").includes("Two"));
  receiver.answer(() => 200);
  const before = performance.now();
  tell("b", "One");
  expect(performance.now() - before).toBeLessThan(1_000);
  await until("another", () => told("b").length === 1);
  other.exec("ROLLBACK");
  other.close();
});

test("a copied folder sends nothing until it is told to; a restart does", async () => {
  await add();
  start();
  tell("a", "One");
  await until("the first", () => told("a").length === 1);
  await stop();
  start();
  tell("a", "Two");
  await until("after a restart", () => told("a").at(-1) === "Two");
  await stop();
  const copy = mkdtempSync(join(tmpdir(), "webhooks-copy-"));
  cpSync(folder, copy, { recursive: true });
  const copied = openEndpoints(webhooksFile(copy));
  const warnings: string[] = [];
  const log = { ...createLog("projector", "silent"), warn: (_: object, text: string) => warnings.push(text) };
  try {
    start({ databaseDir: copy, endpoints: copied, log: log as never });
    tell("a", "Three");
    await until("the warning", () => warnings.some((text) => text.includes("webhooks resume")));
    expect(told("a").at(-1)).toBe("Two");
    const there = { ...owner, config: { ...owner.config, databaseDir: copy } };
    await WEBHOOK_HANDLERS["webhooks.resume"]({}, { owner: there, signal });
    await until("after resume", () => told("a").at(-1) === "Three");
  } finally {
    await stop();
    copied.close();
    rmSync(copy, { recursive: true, force: true });
  }
});

test("endpoints put back from a copy beside a newer folder send nothing", async () => {
  await add();
  start();
  tell("a", "One");
  await until("the first", () => told("a").length === 1);
  await stop();
  endpoints.close();
  const old = readFileSync(webhooksFile(folder));
  endpoints = openEndpoints(webhooksFile(folder));
  start();
  tell("a", "Two");
  await until("the second", () => told("a").length === 2);
  await stop();
  endpoints.close();
  writeFileSync(webhooksFile(folder), old);
  endpoints = openEndpoints(webhooksFile(folder));
  const warnings: string[] = [];
  const log = { ...createLog("projector", "silent"), warn: (_: object, text: string) => warnings.push(text) };
  start({ log: log as never });
  await until("the warning", () => warnings.some((text) => text.includes("webhooks resume")));
});

test("delivering 1,000 changes leaves no write-ahead log of the endpoints behind", async () => {
  await add();
  start();
  for (let lead = 0; lead < 1_000; lead++) tell(`lead-${lead}`, "One");
  await until("all", () => new Set(receiver.received.map(leadOf)).size === 1_000, 40_000);
  expect(statSync(`${webhooksFile(folder)}-wal`).size).toBeLessThan(3 * 1024 ** 2);
});

test("a view database that was made anew tells of everything again, and passes nothing over", async () => {
  await add();
  start();
  tell("a", "One");
  await until("the first", () => told("a").length === 1);
  await stop();
  projector.close();
  projector = openProjector(join(folder, "anew.sqlite"));
  speaker = createSpeaker();
  tell("a", "One");
  tell("b", "One");
  start();
  await until("both", () => told("a").length === 2 && told("b").length === 1);
});

test("a workspace that nobody knows is refused, unless it is insisted on; a test message is signed too", async () => {
  const unknown = { workspaceId: "no-such", url: receiver.url, force: false };
  await expect(WEBHOOK_HANDLERS["webhooks.add"](unknown, { owner, signal })).rejects.toThrow(
    /neither a lead nor a key/,
  );
  const { id, secret } = await WEBHOOK_HANDLERS["webhooks.add"](
    { ...unknown, force: true },
    { owner, signal },
  );
  expect(await WEBHOOK_HANDLERS["webhooks.test"]({ id }, { owner, signal })).toEqual({ status: 200 });
  const [{ body, headers }] = receiver.received as [Received];
  expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toMatchObject({
    type: "webhook.test",
  });
  await WEBHOOK_HANDLERS["webhooks.remove"]({ id }, { owner, signal });
  await expect(WEBHOOK_HANDLERS["webhooks.test"]({ id }, { owner, signal })).rejects.toThrow(/no endpoint/);
});

test.each([
  "https://127.0.0.1/",
  "https://[::1]/",
  "https://[::127.0.0.1]/",
  "https://[64:ff9b::10.0.0.1]/",
  "https://[64:ff9b:1::a00:1]/",
  "https://[2002:7f00:1::]/",
  "https://[4000::1]/",
  "https://10.0.0.8/",
  "https://192.168.1.1/",
  "https://169.254.169.254/latest",
  "https://[::ffff:10.0.0.1]/",
  "https://0.0.0.0/",
  "https://2130706433/",
  "https://localhost/",
  "http://93.184.216.34/",
])("%s is no address to send webhooks to", async (target) => {
  await expect(publicAddress(new URL(target), false)).rejects.toThrow(/https only|is a .* address/);
});

test("a public address is, also behind NAT64", async () => {
  expect(await publicAddress(new URL("https://93.184.216.34/"), false)).toMatchObject({
    address: "93.184.216.34",
  });
  expect(rangeOf("64:ff9b::5db8:d822")).toBe("unicast");
  expect(rangeOf("2606:4700::1111")).toBe("unicast");
});

test("of an endpoint that is removed while a message is on its way nothing is kept, nor of one that a switch brought back", async () => {
  const endpoint = await add();
  receiver.answer(() => "hang");
  start({ answerMs: 400 });
  tell("a", "One");
  await until("the message", () => receiver.received.length === 1);
  await WEBHOOK_HANDLERS["webhooks.remove"]({ id: endpoint.id }, { owner, signal });
  const rest = () =>
    projector.store.relays.names().length + projector.store.setAsides.list(relayOf(endpoint), "", 9).length;
  await until("nothing kept", () => rest() === 0);
  await stop();
  projector.store.relays.advance(relayOf(endpoint), 7);
  start();
  await until("nothing brought back", () => rest() === 0);
});
