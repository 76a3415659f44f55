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
  const call = async (path: string) =>
    (await fetch(`${address}/ops/api/${path}`, { headers: { "x-ops-key": KEY } })).json() as Promise<
      // biome-ignore lint/suspicious/noExplicitAny: each answer has a shape of its own.
      any
    >;
  /** What a request to the owner came to, as the page waits for it. */
  const act = async (kind: string, args: object, by?: string) => {
    const asked = await fetch(`${address}/ops/api/requests`, {
      method: "POST",
      headers: { "x-ops-key": KEY, "content-type": "application/json" },
      body: JSON.stringify({ kind, arguments: args, ...(by === undefined ? {} : { by }) }),
    });
    if (asked.status !== 202) return { state: asked.status };
    const { request } = (await asked.json()) as { request: number };
    return until("the request's end", async () => {
      const found = await call(`requests/${request}`);
      return (found.state === "done" || found.state === "failed") && found;
    });
  };
  const config = readConfig(env);
  const log = openEventLog(folder);
  log.say({ event: "lead.created" });
  const force = true;
  const { id, secret } = await ask(config, "webhooks.add", { workspaceId: "ws-1", url: receiver.url, force });
  log.say({ event: "lead.updated", data: { firstName: "Ann" } });
  await until("disabled", async () => (await call("webhooks")).items[0]?.state === "disabled");
  const {
    items: [endpoint],
  } = await call("webhooks");
  expect(endpoint).toMatchObject({ id, workspaceId: "ws-1", disabledReason: expect.stringContaining("410") });
  expect(JSON.stringify(endpoint)).not.toContain(secret);
  receiver.answer(() => 200);
  expect(await act("webhooks.test", { id })).toMatchObject({ state: "done", result: { status: 200 } });
  expect(await act("webhooks.enable", { id }, "Ann")).toMatchObject({ state: "done" });
  expect(
    projector.lines().find(({ msg, kind }) => msg === "request begun" && kind === "webhooks.enable"),
  ).toMatchObject({
    askedBy: "the operator's page (Ann, 127.0.0.1)",
    about: `id ${id}`,
  });
  await until("the change", () => receiver.received.at(-1)?.body.includes('"Ann"') === true);
  const rotated = await act("webhooks.rotate-secret", { id, graceMs: 86_400_000 });
  expect(rotated.result.secret).toMatch(/^whsec_/);
  expect(rotated.result.secret).not.toBe(secret);
  expect(projector.output()).not.toContain(rotated.result.secret);
  expect(await call(`relays/webhook:${id}/set-aside`)).toEqual({ items: [], next: null, total: 0 });
  expect(await act("resend", { relay: "topic:views", name: "x" })).toMatchObject({ state: "failed" });
  expect(await act("webhooks.remove", { id })).toMatchObject({ state: "done" });
  expect(await call("webhooks")).toEqual({ items: [], next: null, total: 0 });
  expect(await act("webhooks.remove", {})).toEqual({ state: 400 });
  expect(await act("webhooks.add", { workspaceId: "ws-1", url: receiver.url, force })).toEqual({
    state: 400,
  });
  expect(await act("webhooks.test", { id }, "\u202eAnn")).toEqual({ state: 400 });
});
