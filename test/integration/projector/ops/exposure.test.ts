// Who gets to see the operator's page.
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startProgram } from "../../../harness/process.ts";

let folder: string;
let projector: ReturnType<typeof startProgram>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "exposure-"));
});
afterEach(async () => {
  await projector.stop("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

async function start(env: Record<string, string>) {
  projector = startProgram("projector/main.ts", { EVENT_LOG_DIR: folder, DATABASE_DIR: folder, ...env });
  const { port } = new URL(await projector.opsAddress());
  return (path: string, key?: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, key === undefined ? {} : { headers: { "x-ops-key": key } });
}

test("on an address that others reach there is no page, but metrics and health", async () => {
  const ask = await start({ OPS_HOST: "0.0.0.0" });
  for (const path of ["/ops", "/ops/", "/ops/page.js", "/ops/api/status"])
    expect((await ask(path)).status).toBe(404);
  expect((await ask("/metrics")).status).toBe(200);
  expect((await ask("/health/live")).status).toBe(200);
});

test("with a key of its own it is there, for those who have the key", async () => {
  const key = "a-key-of-the-page";
  const ask = await start({ OPS_HOST: "0.0.0.0", OPS_KEY: key });
  expect((await ask("/ops/")).status).toBe(200);
  expect((await ask("/ops/api/status")).status).toBe(401);
  expect((await ask("/ops/api/status", "another-key-of-a-page")).status).toBe(401);
  expect((await ask("/ops/api/status", key)).status).toBe(200);
  const statuses = [];
  for (let tries = 0; tries < 32; tries++)
    statuses.push((await ask("/ops/api/status", `guess-${tries}`)).status);
  expect(statuses.at(-1)).toBe(429);
});

test("on this machine alone it has a key that only this user can read", async () => {
  const ask = await start({});
  const file = join(folder, "ops-key");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect((await ask("/ops/api/status")).status).toBe(401);
  expect((await ask("/ops/api/status", readFileSync(file, "utf8").trim())).status).toBe(200);
});
