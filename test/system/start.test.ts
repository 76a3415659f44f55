// The new user's path, as the README tells it: `npm start`, the printed curl, one more line, Ctrl-C, again.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { seedResponse } from "../harness/seed-response.ts";
import { until } from "../harness/wait.ts";

const LEAD = "a9d0a790-201b-47e9-84ed-cc7eed1270c5";
let folder: string;
const started: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lead-view-start-"));
});
afterEach(async () => {
  for (const child of started.splice(0)) {
    child.kill("SIGKILL");
  }
  rmSync(folder, { recursive: true, force: true });
});

function npmStart(env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ["shared/start.ts"], {
    env: { ...process.env, EVENT_LOG_DIR: folder, PORT: "0", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  started.push(child);
  const output = { out: "", err: "" };
  child.stdout.on("data", (data) => (output.out += data));
  child.stderr.on("data", (data) => (output.err += data));
  const curl = () =>
    until("the printed curl", () => output.out.split("\n").find((line) => line.startsWith("curl ")), 30_000);
  const stop = async () => {
    child.kill("SIGINT");
    const [code] = await once(child, "exit");
    return code;
  };
  return { child, output, curl, stop };
}

const run = (curl: string) => execFileSync("bash", ["-c", curl], { encoding: "utf8" });

test("the printed curl returns the seed's example, key order included; an appended event shows within a second; a restart resumes", async () => {
  const first = npmStart();
  const curl = await first.curl();
  const answer = await until("the lead's answer", () => {
    const body = run(curl);
    return body.startsWith('{"lead"') && body.includes('"COMPLETED","itemOverride"') && body;
  });
  expect(JSON.stringify(JSON.parse(answer))).toBe(JSON.stringify(seedResponse()));

  const event = {
    id: "evt-test-1",
    event: "lead.updated",
    occurredAt: "2026-02-01T00:00:00.000Z",
    workspaceId: "ws-123",
    leadId: LEAD,
    data: { firstName: "Joanna" },
  };
  appendFileSync(join(folder, "omni.lead", "0.ndjson"), `${JSON.stringify({ key: LEAD, value: event })}\n`);
  await until("the appended event in the answer", () => run(curl).includes('"Joanna"'), 1_000);
  expect(await first.stop()).toBe(0);

  const second = npmStart();
  const again = await second.curl();
  expect(again.split(" ").slice(0, 4)).toEqual(curl.split(" ").slice(0, 4));
  expect(JSON.parse(run(again)).lead.firstName).toBe("Joanna");
  expect(await second.stop()).toBe(0);
  expect(second.output.err).toBe("");
});

test("a port that is taken gives a clear message", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as { port: number };
  const { child, output } = npmStart({ PORT: String(port) });
  const [code] = await once(child, "exit");
  other.close();
  expect(code).toBe(1);
  expect(output.err).toBe(
    `lead-view: port ${port} is taken. Choose another one, for example: PORT=${port + 1} npm start\n`,
  );
});

test("a bad setting is named before anything starts", async () => {
  const { child, output } = npmStart({ PORT: "70000" });
  expect((await once(child, "exit"))[0]).toBe(1);
  expect(output.err).toContain("PORT must be a whole number from 0 to 65535");
});

test("the key file can be read by this user only", async () => {
  const { curl, stop } = npmStart();
  const line = await curl();
  const { statSync } = await import("node:fs");
  expect(statSync(join(folder, "example-key")).mode & 0o777).toBe(0o600);
  expect(line).toContain(readFileSync(join(folder, "example-key"), "utf8").trim());
  await stop();
});
