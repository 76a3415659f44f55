// Endpoints and what relays set aside, as the operator's page has them.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ask } from "../../../../projector/owner/ask.ts";
import { readConfig } from "../../../../shared/config.ts";
import { openEventLog } from "../../../harness/event-log.ts";
import { startProgram } from "../../../harness/process.ts";
import { startReceiver } from "../../../harness/receiver.ts";
import { until } from "../../../harness/wait.ts";

const KEY = "an-operators-key";
let folder: string;
let projector: ReturnType<typeof startProgram>;
let receiver: Awaited<ReturnType<typeof startReceiver>>;
let env: Record<string, string>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "relay-routes-"));
  receiver = await startReceiver(() => 410);
  env = { EVENT_LOG_DIR: folder, DATABASE_DIR: folder, OPS_KEY: KEY, WEBHOOKS_ALLOW_PRIVATE: "true" };
  projector = startProgram("projector/main.ts", env);
});
afterEach(async () => {
  await projector.stop();
  receiver.close();
  rmSync(folder, { recursive: true, force: true });
});

test("an endpoint that is gone is shown as disabled, and can be tested, enabled, given a new secret and removed", async () => {
  const address = await projector.opsAddress();
  // biome-ignore lint/suspicious/noExplicitAny: each route answers with JSON of its own.
  const call = async (path: string, method = "GET"): Promise<any> =>
    (await fetch(`${address}/ops/api/${path}`, { method, headers: { "x-ops-key": KEY } })).json();
  const config = readConfig(env);
  const log = openEventLog(folder);
  log.say({ event: "lead.created" });
  const force = true;
  const { id, secret } = await ask(config, "webhooks.add", { workspaceId: "ws-1", url: receiver.url, force });
  log.say({ event: "lead.updated", data: { firstName: "Ann" } });
  await until("disabled", async () => (await call("webhooks"))[0]?.state === "disabled");
  const [endpoint] = await call("webhooks");
  expect(endpoint).toMatchObject({ id, workspaceId: "ws-1", disabledReason: expect.stringContaining("410") });
  expect(JSON.stringify(endpoint)).not.toContain(secret);
  receiver.answer(() => 200);
  expect(await call(`webhooks/${id}/test`, "POST")).toEqual({ ok: true, result: { status: 200 } });
  expect(await call(`webhooks/${id}/enable`, "POST")).toMatchObject({ ok: true });
  await until("the change", () => receiver.received.at(-1)?.body.includes('"Ann"') === true);
  const rotated = await call(`webhooks/${id}/rotate-secret`, "POST");
  expect(rotated.result.secret).not.toBe(secret);
  expect(await call(`webhooks/${id}/undelivered`)).toEqual([]);
  expect(await call(`relays/webhook:${id}/set-aside`)).toEqual([]);
  expect(await call(`relays/${encodeURIComponent("topic:views")}/retry?name=x`, "POST")).toMatchObject({
    ok: false,
  });
  expect(await call(`webhooks/${id}/remove`, "POST")).toMatchObject({ ok: true });
  expect(await call("webhooks")).toEqual([]);
});
