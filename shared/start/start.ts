import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { delay, monotonic } from "../clock.ts";
import { commandSettings } from "../command-line/settings.ts";
import { printable } from "../command-line/terminal.ts";
import { type Config, DEFAULT_EVENT_LOG_DIR, keysFile } from "../config.ts";
import { createReadiness } from "../control.ts";
import { TOPICS } from "../events/catalogue.ts";
import { viewFile } from "../generation.ts";
import { createKey, hashKey, listKeys, openKeys } from "../keys.ts";
import { mistypedSettings } from "../mistyped-settings.ts";
import { opsKey } from "../ops-key.ts";
import { openReader } from "../sqlite.ts";
import { apiPort, opsPort } from "./ports.ts";
import type { Started } from "./welcome.ts";

const EXAMPLE = fileURLToPath(new URL("../example/", import.meta.url));
const EXAMPLE_LEAD = "a9d0a790-201b-47e9-84ed-cc7eed1270c5";
const EXAMPLE_WORKSPACE = "ws-123";
const LOOK_MS = 50;
/** Milliseconds between two words on what a start waits for. */
const TELL_MS = 10_000;

/**
 * Runs the projector and the API until one of them ends, or this process is told to.
 * @param onStarted told once, when the views can be asked for
 * @throws Error naming what stopped, or what the user can put right
 */
export async function startAll(onStarted: (started: Started) => void): Promise<void> {
  const config = await commandSettings();
  const [port, operatorPort] = [await apiPort(config), await opsPort(config)];
  mkdirSync(config.databaseDir, { recursive: true, mode: 0o700 });
  if (!config.kafka) prepareEventLog(config.eventLogDir);
  const children = ["projector", "api"].map((name) =>
    startChild(name, environment({ PORT: String(port), OPS_PORT: String(operatorPort) })),
  );
  const stop = () => {
    for (const { process: child } of children) child.kill("SIGTERM");
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  const ended = new AbortController();
  const exits = children.map(async ({ name, process: child }) => {
    const [code] = await once(child, "exit");
    ended.abort();
    stop();
    if (code) throw new Error(`the ${name} stopped; its last log line says why`);
  });
  const address = addressOf(config.host, port);
  await Promise.race([...exits, untilReady(config, address, ended.signal)]);
  if (!ended.signal.aborted) onStarted(startedOf(config, address, operatorPort));
  await Promise.all(exits);
}

/** The children's: their logs would bury what is printed here, so warnings only, unless asked for more. */
function environment(ports: Record<"PORT" | "OPS_PORT", string>): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, ...ports, LOG_LEVEL: process.env.LOG_LEVEL || "warn" };
  // Told already.
  for (const { name } of mistypedSettings(process.env)) delete env[name];
  return env;
}

function startChild(
  name: string,
  env: NodeJS.ProcessEnv,
): { readonly name: string; readonly process: ChildProcess } {
  const main = fileURLToPath(new URL(`../../${name}/main.ts`, import.meta.url));
  return {
    name,
    process: spawn(process.execPath, [main], { env, stdio: ["ignore", process.stderr, process.stderr] }),
  };
}

/** The default folder, where nothing is in it, gets the example's history; one that was named begins empty. */
function prepareEventLog(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (resolve(folder) !== resolve(DEFAULT_EVENT_LOG_DIR)) return;
  if (Object.values(TOPICS).some((topic) => existsSync(join(folder, topic)))) return;
  cpSync(EXAMPLE, folder, { recursive: true });
}

/** Waits until the projector has caught up, and the API answers: however long the history is, it says what it waits for. */
async function untilReady({ databaseDir }: Config, address: string, signal: AbortSignal): Promise<void> {
  const projector = createReadiness(databaseDir);
  try {
    for (let saidAt = monotonic(); !signal.aborted; await delay(LOOK_MS)) {
      const reason =
        projector.reason() ?? ((await answers(address)) ? undefined : "the API does not answer yet");
      if (reason === undefined) return;
      if (monotonic() - saidAt < TELL_MS) continue;
      saidAt = monotonic();
      process.stderr.write(printable(`lead-view: still starting: ${reason}\n`));
    }
  } finally {
    projector.close();
  }
}

const answers = (address: string): Promise<boolean> =>
  fetch(`${address}/health/ready`).then(
    ({ ok }) => ok,
    () => false,
  );

function startedOf(config: Config, address: string, operatorPort: number): Started {
  const known = leadToAskFor(config);
  const workspace = known?.workspaceId ?? EXAMPLE_WORKSPACE;
  const page = opsKey(config);
  return {
    address,
    key: keyOf(config, workspace),
    workspace,
    operator: page === undefined ? null : `${addressOf(config.ops.host, operatorPort)}/ops/#key=${page}`,
    eventLog: config.kafka
      ? `Kafka at ${config.kafka.brokers.join(",")}`
      : `the event log in ${config.eventLogDir}/`,
    eventLogDir: config.kafka ? null : config.eventLogDir,
    lead: known?.leadId ?? null,
  };
}

/** The example's lead, else the one that changed last. */
function leadToAskFor(config: Config): { readonly leadId: string; readonly workspaceId: string } | undefined {
  if (!existsSync(viewFile(config))) return undefined;
  const db = openReader(viewFile(config));
  try {
    const select =
      "SELECT lead_id AS leadId, workspace_id AS workspaceId FROM lead_view WHERE body IS NOT NULL";
    return (
      db
        .prepare<[string], { leadId: string; workspaceId: string }>(`${select} AND lead_id = ?`)
        .get(EXAMPLE_LEAD) ??
      db.prepare<[], { leadId: string; workspaceId: string }>(`${select} ORDER BY number DESC LIMIT 1`).get()
    );
  } finally {
    db.close();
  }
}

/** The key that is printed: kept in a file that only this user can read, since the store has its hash alone. */
function keyOf(config: Config, workspace: string): string {
  const file = join(config.databaseDir, "example-key");
  const db = openKeys(keysFile(config));
  try {
    const known = existsSync(file) ? hashKey(readFileSync(file, "utf8").trim()) : undefined;
    if (
      known &&
      listKeys(db).some(({ hash, workspaceId }) => hash.equals(known) && workspaceId === workspace)
    )
      return readFileSync(file, "utf8").trim();
    const key = createKey(db, workspace, "example");
    writeFileSync(file, `${key}\n`, { mode: 0o600 });
    return key;
  } finally {
    db.close();
  }
}

const addressOf = (host: string, port: number): string =>
  `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
