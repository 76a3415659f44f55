// The new user's path: `npm start`, the printed curl, one more line, Ctrl-C, again; and a folder of one's own.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LEAD_VIEW } from "../harness/command.ts";
import { seedResponse } from "../harness/seed-response.ts";
import { until } from "../harness/wait.ts";

const LEAD = "a9d0a790-201b-47e9-84ed-cc7eed1270c5";
/** Where it is started: the default folder of the log is in it. */
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
  const child = spawn(process.execPath, [LEAD_VIEW, "start"], {
    cwd: folder,
    env: { ...process.env, PORT: "0", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  started.push(child);
  const output = { out: "", err: "" };
  child.stdout.on("data", (data) => (output.out += data));
  child.stderr.on("data", (data) => (output.err += data));
  const line = (start: string) =>
    until(`the printed ${start}`, () => output.out.split("\n").find((one) => one.startsWith(start)), 45_000);
  const stop = async () => {
    child.kill("SIGINT");
    const [code] = await once(child, "exit");
    return code;
  };
  return { child, output, line, curl: () => line("curl "), stop };
}

const run = (command: string) => execFileSync("bash", ["-c", command], { encoding: "utf8", cwd: folder });

test("the printed curl returns the seed's example, key order included; an appended event shows within a second; a restart resumes", async () => {
  const first = npmStart();
  const curl = await first.curl();
  const answer = await until("the lead's answer", () => {
    const body = run(curl);
    return body.startsWith('{"lead"') && body.includes('"COMPLETED","itemOverride"') && body;
  });
  expect(JSON.stringify(JSON.parse(answer))).toBe(JSON.stringify(seedResponse()));
  expect(statSync(join(folder, "data", "example-key")).mode & 0o777).toBe(0o600);
  expect(statSync(join(folder, "data")).mode & 0o777).toBe(0o700);
  expect(curl).toContain(readFileSync(join(folder, "data", "example-key"), "utf8").trim());

  const event = {
    id: "evt-test-1",
    event: "lead.updated",
    occurredAt: "2026-02-01T00:00:00.000Z",
    workspaceId: "ws-123",
    leadId: LEAD,
    data: { firstName: "Joanna" },
  };
  const log = join(folder, "data", "omni.lead", "0.ndjson");
  appendFileSync(log, `${JSON.stringify({ key: LEAD, value: event })}\n`);
  await until("the appended event in the answer", () => run(curl).includes('"Joanna"'), 1_000);
  expect(await first.stop()).toBe(0);

  const second = npmStart();
  const again = await second.curl();
  expect(again.split(" ").slice(0, 4)).toEqual(curl.split(" ").slice(0, 4));
  expect(JSON.parse(run(again)).lead.firstName).toBe("Joanna");
  expect(await second.stop()).toBe(0);
  expect(second.output.err).toBe("");
});

test("a folder of one's own begins empty, and what is printed sends the first event", async () => {
  const { line, curl, output, stop } = npmStart({
    EVENT_LOG_DIR: "my log",
    KAFKA_BROKER: "x:1",
    API_WORKER: "3",
  });
  const first = await line("mkdir ");
  expect(existsSync(join(folder, "my log", "omni.lead"))).toBe(false);
  run(first);
  const ask = await curl();
  await until("the first lead", () => run(ask).includes('"firstName":"Ada"'));
  // Each once, though the programs that it starts would say it too.
  expect(output.err).toBe(
    "lead-view: API_WORKER is no setting; is API_WORKERS meant?\n" +
      "lead-view: KAFKA_BROKER is no setting; is KAFKA_BROKERS meant?\n",
  );
  expect(await stop()).toBe(0);
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

test("what the user can put right is named before anything starts", async () => {
  const port = npmStart({ PORT: "70000" });
  expect((await once(port.child, "exit"))[0]).toBe(1);
  expect(port.output.err).toContain("PORT must be a whole number from 0 to 65535");
  writeFileSync(join(folder, "file"), "");
  const file = npmStart({ EVENT_LOG_DIR: "file" });
  expect((await once(file.child, "exit"))[0]).toBe(1);
  expect(file.output.err).toMatch(
    /^lead-view: .*'file': there is a file where a folder is needed; name another one\n$/,
  );
});
