// Rebuilding beside a running projector and API, as an operator does it.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { HEAD } from "../../../projector/projection/pieces.ts";
import { PIECES_OF_A_PART } from "../../../projector/store/leads.ts";
import { openStore } from "../../../projector/store/store.ts";
import { keysFile } from "../../../shared/config.ts";
import { servingGeneration, viewFile } from "../../../shared/generation.ts";
import { createKey, openKeys } from "../../../shared/keys.ts";
import { writeHistory } from "../../generate/write-history.ts";
import { LEAD_VIEW } from "../../harness/command.ts";
import { freePort } from "../../harness/free-port.ts";
import { viewsOf } from "../../harness/projector.ts";
import { until } from "../../harness/wait.ts";

let folder: string;
let log: string;
let databaseDir: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rebuild-"));
  log = join(folder, "log");
  databaseDir = join(folder, "views");
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGTERM");
      await once(child, "exit");
    }
  }
  rmSync(folder, { recursive: true, force: true });
});

const env = (more: Record<string, string> = {}) => ({
  ...process.env,
  EVENT_LOG_DIR: log,
  DATABASE_DIR: databaseDir,
  LOG_LEVEL: "error",
  ...more,
});
function start(script: string, args: string[] = [], more: Record<string, string> = {}): ChildProcess {
  const child = spawn(process.execPath, ["--no-warnings", script, ...args], {
    env: env(more),
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  return child;
}
const run = (command: string, ...args: string[]) =>
  spawnSync(process.execPath, [LEAD_VIEW, command, ...args], { env: env(), encoding: "utf8" });
const rebuild = (...args: string[]) => run("rebuild", ...args);
const generations = (...args: string[]) => run("generations", ...args);

function views() {
  const store = openStore(viewFile({ databaseDir }));
  try {
    return viewsOf(store);
  } finally {
    store.close();
  }
}

/** A projector that has folded a generated history. */
async function projecting(records = 3_000): Promise<ChildProcess> {
  const written = writeHistory(log, { leads: 1e6, seed: 3, partitions: 2, records });
  const projector = start("projector/main.ts");
  await until(
    "the history to be folded",
    () => existsSync(viewFile({ databaseDir })) && folded() === written.records,
  );
  return projector;
}

function folded(): number {
  const store = openStore(viewFile({ databaseDir }));
  try {
    return store.positions.all().reduce((sum, { nextOffset }) => sum + nextOffset, 0);
  } finally {
    store.close();
  }
}

const update = (leadId: string, workspaceId: string, firstName: string) =>
  `${JSON.stringify({
    key: leadId,
    value: {
      id: `u-${firstName}`,
      event: "lead.updated",
      occurredAt: "2026-06-01T00:00:00.000Z",
      workspaceId,
      leadId,
      data: { firstName },
    },
  })}\n`;

test("a rebuild under load: no failed request, no version goes back, and the projector follows the switch", async () => {
  await projecting();
  const before = views();
  const [leadId, view] = Object.entries(before)[0] as [string, (typeof before)[string]];
  const { workspaceId } = JSON.parse(view.body).lead;
  const keys = openKeys(keysFile({ databaseDir }));
  const key = createKey(keys, workspaceId, "test");
  keys.close();
  const port = await freePort();
  start("api/main.ts", [], { PORT: String(port) });
  const read = () =>
    fetch(`http://127.0.0.1:${port}/api/v1/leads/${leadId}`, { headers: { "x-api-key": key } });
  await until("the API", () =>
    read().then(
      (answer) => answer.ok,
      () => false,
    ),
  );

  // Which file a lead's partition is does not matter to an update by hand: it is appended where the lead's others are.
  const file = ["0", "1"]
    .map((partition) => join(log, "omni.lead", `${partition}.ndjson`))
    .find((path) => readFileSync(path, "utf8").includes(leadId)) as string;
  let rebuilding = true;
  let answers = 0;
  const failures: string[] = [];
  const versions: number[] = [];
  const load = (async () => {
    for (let round = 0; rebuilding; round++) {
      if (round % 20 === 0) appendFileSync(file, update(leadId, workspaceId, `Round ${round}`));
      const answer = await read().catch((error: Error) => error);
      if (!(answer instanceof Response) || answer.status !== 200) failures.push(String(answer));
      else versions.push(Number(/"(\d+)/.exec(answer.headers.get("etag") ?? "")?.[1]));
      answers++;
      await delay(2);
    }
  })();
  const rebuilder = start(LEAD_VIEW, ["rebuild"]);
  let said = "";
  rebuilder.stderr?.on("data", (data) => (said += data));
  const [code] = await once(rebuilder, "exit");
  await delay(300);
  rebuilding = false;
  await load;
  appendFileSync(file, update(leadId, workspaceId, "After"));
  await until("an event after the switch", async () => (await (await read()).text()).includes('"After"'));
  expect(code, said).toBe(0);
  expect(servingGeneration(databaseDir)).toBe(2);
  expect(failures).toEqual([]);
  expect(answers).toBeGreaterThan(50);
  expect(versions).toEqual([...versions].sort((a, b) => a - b));
  const after = views();
  for (const [id, { body, number }] of Object.entries(before)) {
    if (id === leadId) continue;
    expect([after[id]?.body, after[id]?.number]).toEqual([body, number]);
  }
});

test("generations are listed, switched back to, and removed; the serving one is not", async () => {
  await projecting(500);
  expect(rebuild("--no-switch").stdout).toContain("generation 2 is ready");
  expect(servingGeneration(databaseDir)).toBe(1);
  expect(generations("list").stdout).toMatch(/^generation +state +views +MiB\n *1 {2}serves.*\n *2 {2}kept/);
  expect(generations("switch", "2").status).toBe(0);
  expect(generations("switch", "1").status).toBe(0);
  expect(servingGeneration(databaseDir)).toBe(1);
  expect(generations("remove", "1").stderr).toContain("serves; switch to another one first");
  expect(generations("remove", "2").status).toBe(0);
  expect(generations("switch", "2").stderr).toContain("there is no generation 2");
  expect(generations("nonsense").status).toBe(2);
});

test("verify finds nothing in a sound generation, and shows the fields of a view that is not what history gives", async () => {
  await projecting(500);
  expect(run("verify").stdout).toContain(" 0 differ");
  const store = openStore(viewFile({ databaseDir }));
  const [leadId] = Object.keys(viewsOf(store)) as [string];
  const body = viewsOf(store)[leadId]?.body.replace(/"firstName":"[^"]*"/, '"firstName":"Forged"');
  store.db.prepare("UPDATE lead_view SET body = ? WHERE lead_id = ?").run(Buffer.from(body ?? ""), leadId);
  store.close();
  const verified = run("verify");
  expect(verified.status).toBe(4);
  expect(verified.stdout).toContain(`${leadId}: differs`);
  expect(verified.stdout).toMatch(/\/lead\/firstName: serving "Forged", fresh "/);
  // A rebuild puts it right, under a number above the forged one's.
  const forged = views()[leadId]?.number as number;
  expect(rebuild("--switch").status).toBe(0);
  expect(views()[leadId]?.body).not.toContain("Forged");
  expect(views()[leadId]?.number).toBeGreaterThan(forged);
});

test("a rebuild from an archive goes on with the live log; a corrupt line in it changes nothing", async () => {
  await projecting(500);
  const archive = join(folder, "archive");
  cpSync(log, archive, { recursive: true });
  expect(run("verify", "--from", archive).stdout).toContain(" 0 differ");
  const file = join(archive, "omni.lead", "0.ndjson");
  writeFileSync(file, readFileSync(file, "utf8").replace('"value":{', '"value":{{'));
  const corrupt = rebuild("--from", archive);
  expect(corrupt.status).toBe(1);
  expect(corrupt.stderr).toMatch(/archive is corrupt: omni.lead\/0.ndjson.*restore the file/);
  expect(servingGeneration(databaseDir)).toBe(1);
  expect(readdirSync(databaseDir).filter((name) => name.includes("building"))).toEqual([]);
});

test("a projector killed in the middle of a build harms nothing, and the next one starts clean", async () => {
  const projector = await projecting(20_000);
  const asking = start(LEAD_VIEW, ["rebuild"]);
  await until("the building file", () => existsSync(join(databaseDir, "lead_view.building.sqlite")));
  projector.kill("SIGKILL");
  const [code] = await once(asking, "exit");
  // The command finds no owner, and is the owner meanwhile: what the dead one was at is over.
  expect(code).toBe(1);
  expect(servingGeneration(databaseDir)).toBe(1);
  start("projector/main.ts");
  await until(
    "what was left behind to be removed",
    () => !existsSync(join(databaseDir, "lead_view.building.sqlite")),
  );
  expect(rebuild().status).toBe(0);
  expect(servingGeneration(databaseDir)).toBe(2);
});

test("two rebuilds asked for at once are done one after the other", async () => {
  await projecting(500);
  const both = [start(LEAD_VIEW, ["rebuild"]), start(LEAD_VIEW, ["rebuild"])];
  const codes = await Promise.all(both.map(async (one) => (await once(one, "exit"))[0]));
  expect(codes).toEqual([0, 0]);
  expect(servingGeneration(databaseDir)).toBe(3);
});

test("one lead, or one workspace, is folded again in place", async () => {
  await projecting(500);
  const sound = views();
  const store = openStore(viewFile({ databaseDir }));
  const [leadId] = Object.keys(sound) as [string];
  const { workspaceId } = JSON.parse(sound[leadId]?.body ?? "").lead;
  const spoil = () =>
    store.db
      .prepare(
        `UPDATE lead_piece SET content = json_set(content, '$.record.firstName', 'Spoilt')
         WHERE place % ${PIECES_OF_A_PART} = ${HEAD}`,
      )
      .run();
  spoil();
  expect(rebuild("--lead", leadId).stdout).toContain("1 leads folded again");
  expect(views()[leadId]?.body).toBe(sound[leadId]?.body);
  spoil();
  expect(rebuild("--workspace", workspaceId).status).toBe(0);
  const states = store.db
    .prepare<[string], string>(
      `SELECT content FROM lead_piece JOIN lead ON place / ${PIECES_OF_A_PART} = no WHERE workspace_id = ?`,
    )
    .pluck()
    .all(workspaceId);
  expect(states.filter((state) => state.includes("Spoilt"))).toEqual([]);
  store.close();
  expect(Object.entries(views()).map(([id, { body }]) => [id, body])).toEqual(
    Object.entries(sound).map(([id, { body }]) => [id, body]),
  );
});

test("a lead is shown as it was at a time or a position", async () => {
  cpSync("shared/example", log, { recursive: true });
  const leadId = "a9d0a790-201b-47e9-84ed-cc7eed1270c5";
  const file = join(log, "omni.lead", "0.ndjson");
  appendFileSync(file, update(leadId, "ws-123", "Later"));
  start("projector/main.ts");
  await until(
    "the last event",
    () => existsSync(viewFile({ databaseDir })) && views()[leadId]?.body.includes("Later"),
  );
  const view = (at: string) => run("view", "--lead", leadId, "--at", at);
  expect(JSON.parse(view("2026-03-01T00:00:00Z").stdout).lead.firstName).toBe("John");
  expect(JSON.parse(view("2026-07-01T00:00:00Z").stdout).lead.firstName).toBe("Later");
  expect(JSON.parse(view("omni.lead/0/0").stdout).lead.firstName).toBe("John");
  expect(view("2025-01-01T00:00:00Z").stderr).toContain("had no view then");
  expect(view("nonsense").status).toBe(2);
});
