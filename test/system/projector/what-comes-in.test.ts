// What an operator sees of repeats, of odd numbers and of files that are not read, on a running projector.
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LEAD_VIEW } from "../../harness/command.ts";
import { startProgram } from "../../harness/process.ts";
import { until } from "../../harness/wait.ts";

let folder: string;
let projector: ReturnType<typeof startProgram>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "comes-in-"));
  mkdirSync(join(folder, "omni.lead"));
});
afterEach(async () => {
  await projector.stop();
  rmSync(folder, { recursive: true, force: true });
});

const event = (id: string, type: string, data = "{}") =>
  `{"key":"lead-1","value":{"id":"${id}","event":"${type}","occurredAt":"2026-03-01T00:00:0${id}Z","workspaceId":"ws-1","leadId":"lead-1","data":${data}}}\n`;
const cli = (...args: string[]) =>
  spawnSync(process.execPath, [LEAD_VIEW, ...args], {
    env: { ...process.env, EVENT_LOG_DIR: folder, LOG_LEVEL: "silent" },
    encoding: "utf8",
  });

test("a repeat is counted, shown as one, and passed over by a rebuild and a look back too", async () => {
  const file = join(folder, "omni.lead", "0.ndjson");
  const ann = event("2", "lead.updated", '{"firstName":"Ann","score":1.0}');
  writeFileSync(
    file,
    event("1", "lead.created") + ann + event("3", "lead.updated", '{"firstName":"Anna"}') + ann,
  );
  writeFileSync(join(folder, "omni.lead", "05.ndjson"), ann);
  projector = startProgram("projector/main.ts", { EVENT_LOG_DIR: folder });
  const told = await projector.said(/no part of the event log/);
  expect(told.path).toBe(join(folder, "omni.lead", "05.ndjson"));
  const address = await projector.opsAddress();
  const metrics = async () => (await fetch(`${address}/metrics`)).text();
  const repeats = 'lead_view_events_total{type="lead.updated",outcome="repeated"}';
  await until("the repeat to be counted", async () => (await metrics()).includes(`${repeats} 1`));
  appendFileSync(file, ann);
  await until("the next one too", async () => (await metrics()).includes(`${repeats} 2`));
  expect(projector.lines().filter(({ msg }) => /no part of/.test(String(msg)))).toHaveLength(1);

  const shown = cli("view", "--lead", "lead-1", "--events", "--json");
  expect(JSON.parse(shown.stdout).map(({ outcome }: { outcome: string }) => outcome)).toEqual([
    "folded",
    "folded",
    "folded",
    "repeated",
    "repeated",
  ]);
  expect(shown.stdout).toContain('"score": 1.0');
  const then = cli("view", "--lead", "lead-1", "--at", "omni.lead/0/4");
  expect(JSON.parse(then.stdout).lead.firstName).toBe("Anna");
  const verified = cli("verify");
  expect(verified.stdout + verified.stderr).toContain("0 differ");
});
