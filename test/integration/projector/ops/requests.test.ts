// What the page asks the owner for while a rebuild is under way.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createRequests } from "../../../../projector/owner/requests.ts";
import { openControl } from "../../../../shared/control.ts";
import { openEventLog } from "../../../harness/event-log.ts";
import { startProgram } from "../../../harness/process.ts";
import { until } from "../../../harness/wait.ts";

const KEY = "an-operators-key";
/** Enough that folding them takes seconds. */
const LONG = 150_000;
let folder: string;
let projector: ReturnType<typeof startProgram>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "requests-"));
  const env = { EVENT_LOG_DIR: folder, DATABASE_DIR: folder, OPS_KEY: KEY, KAFKA_BROKERS: "" };
  projector = startProgram("projector/main.ts", env);
});
afterEach(async () => {
  await projector.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("what takes a moment does not wait behind a rebuild, and a rebuild is stopped without a trace", async () => {
  const address = await projector.opsAddress();
  const headers = { "x-ops-key": KEY, "content-type": "application/json" };
  const get = async (path: string) =>
    (await fetch(`${address}/ops/api/${path}`, { headers })).json() as Promise<never>;
  const post = (path: string, body: object) =>
    fetch(`${address}/ops/api/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  openEventLog(folder).say({ event: "document.shredded", topic: "omni.document" });
  await until("the dead letter", async () => ((await get("dead-letters")) as { total: number }).total === 1);
  const control = openControl(folder);
  const requests = createRequests(control);
  const archive = archiveIn(join(folder, "archive"));
  const options = { from: archive, switch: true, acceptLoss: true, acceptDeadLetters: true };
  const rebuild = requests.add("rebuild", options, "a test");
  await until("the rebuild to run", () => requests.get(rebuild)?.state === "running");
  const { request } = (await (
    await post("requests", { kind: "discard", arguments: { letter: "omni.document/0/0" } })
  ).json()) as {
    request: number;
  };
  await until("the letter to be discarded", () => requests.get(request)?.state === "done");
  expect(requests.get(rebuild)?.state).toBe("running");
  // One that waits for its turn is over at once.
  const waiting = requests.add("refold", { lead: "lead-1" }, "a test");
  expect((await post(`requests/${waiting}/stop`, {})).status).toBe(200);
  expect(requests.get(waiting)).toMatchObject({ state: "failed", error: "stopped before it began" });
  expect((await post(`requests/${rebuild}/stop`, {})).status).toBe(200);
  await until("the rebuild to end", () => requests.get(rebuild)?.state === "failed");
  expect(requests.get(rebuild)?.error).toContain("stopped");
  expect((await post(`requests/${rebuild}/stop`, {})).status).toBe(409);
  expect((await post("requests/999/stop", {})).status).toBe(404);
  expect(readdirSync(folder).filter((name) => /building|lead_view\.2/.test(name))).toEqual([]);
  expect(await get("dead-letters")).toEqual({ items: [], next: null, total: 0 });
  expect(await get("status")).toMatchObject({ ready: true, generation: 1, standing: "owner" });
  control.close();
});

function archiveIn(place: string): string {
  mkdirSync(join(place, "omni.lead"), { recursive: true });
  const lines = Array.from({ length: LONG }, (_, n) => {
    const value = {
      id: `e-${n}`,
      event: "lead.created",
      occurredAt: "2026-03-01T00:00:00Z",
      workspaceId: "ws-1",
      leadId: `l-${n}`,
      data: {},
    };
    return `${JSON.stringify({ key: `l-${n}`, timestamp: Date.now(), value })}\n`;
  });
  writeFileSync(join(place, "omni.lead", "0.ndjson"), lines.join(""));
  return place;
}
