import { createHmac, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { publicAddress } from "../../../../projector/publish/webhooks/address.ts";
import { deliverWebhooks } from "../../../../projector/publish/webhooks/deliver.ts";
import { type Endpoints, openEndpoints } from "../../../../projector/publish/webhooks/endpoints.ts";
import { createLog } from "../../../../shared/log.ts";
import { createSpeaker } from "../../../harness/events.ts";
import { openProjector } from "../../../harness/projector.ts";
import { until } from "../../../harness/wait.ts";

let folder: string;
let projector: ReturnType<typeof openProjector>;
let endpoints: Endpoints;
let received: { headers: IncomingMessage["headers"]; body: string }[];
let answers: number[];
let url: string;
let stop: () => Promise<void>;
const { say, record } = createSpeaker();

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "webhooks-"));
  projector = openProjector();
  endpoints = openEndpoints(join(folder, "webhooks.sqlite"));
  received = [];
  answers = [];
  const receiver = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    received.push({ headers: request.headers, body });
    response.writeHead(answers.shift() ?? 200).end();
  }).listen(0, "127.0.0.1");
  await once(receiver, "listening");
  url = `http://127.0.0.1:${(receiver.address() as { port: number }).port}/hook`;
  const stopping = new AbortController();
  const running = deliverWebhooks({
    store: projector.store,
    endpoints,
    log: createLog("projector", "silent"),
    signal: stopping.signal,
    allowPrivate: true,
    backOffMs: [10, 10],
  });
  stop = async () => {
    stopping.abort();
    await running;
    receiver.close();
  };
});
afterEach(async () => {
  await stop();
  endpoints.close();
  projector.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a changed view is told to its workspace's endpoint, signed as Standard Webhooks says", async () => {
  const { secret } = endpoints.add("ws-1", url, 0);
  projector.foldBatch([say({ leadId: "hook-1", event: "lead.created", data: { firstName: "Ann" } })]);
  projector.foldBatch([say({ leadId: "foreign", workspaceId: "ws-2", event: "lead.created" })]);
  await until("the message", () => received.length === 1);
  const { headers, body } = received[0] as (typeof received)[0];
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  const expected = Buffer.from(`v1,${createHmac("sha256", key).update(signed).digest("base64")}`);
  expect(timingSafeEqual(Buffer.from(String(headers["webhook-signature"])), expected)).toBe(true);
  expect(JSON.parse(body)).toMatchObject({
    type: "lead_view.changed",
    data: {
      leadId: "hook-1",
      workspaceId: "ws-1",
      version: 1,
      status: "IN_PROGRESS",
      view: { lead: { firstName: "Ann" } },
    },
  });
  projector.foldBatch([record("omni.lead", { key: Buffer.from("hook-1") })]);
  await until("the erase", () => received.length === 2);
  expect(JSON.parse(received[1]?.body ?? "")).toMatchObject({
    type: "lead_view.erased",
    data: { leadId: "hook-1" },
  });
});

test("a receiver that fails is tried again; a change it never takes is kept as undelivered, and the next one is sent", async () => {
  endpoints.add("ws-1", url, 0);
  answers = [500, 200];
  projector.foldBatch([say({ leadId: "hook-2", event: "lead.created" })]);
  await until("the second try", () => received.length === 2);
  expect(received[0]?.headers["webhook-id"]).toBe(received[1]?.headers["webhook-id"]);
  expect(endpoints.undelivered()).toEqual([]);
  answers = [500, 302, 404];
  projector.foldBatch([say({ leadId: "hook-3", event: "lead.created" })]);
  await until("giving up", () => endpoints.undelivered().length === 1);
  expect(endpoints.undelivered()).toMatchObject([
    { leadId: "hook-3", version: 1, error: "the receiver answered 404" },
  ]);
  projector.foldBatch([say({ leadId: "hook-4", event: "lead.created" })]);
  await until("the next change", () => received.some(({ body }) => body.includes("hook-4")));
});

test.each([
  "https://127.0.0.1/",
  "https://[::1]/",
  "https://10.0.0.8/",
  "https://192.168.1.1/",
  "https://169.254.169.254/latest",
  "https://[::ffff:10.0.0.1]/",
  "https://0.0.0.0/",
  "https://localhost/",
  "http://93.184.216.34/",
])("%s is no address to send webhooks to", async (target) => {
  await expect(publicAddress(new URL(target), false)).rejects.toThrow(/https only|is a .* address/);
});

test("a public address is", async () => {
  expect(await publicAddress(new URL("https://93.184.216.34/"), false)).toMatchObject({
    address: "93.184.216.34",
  });
});
