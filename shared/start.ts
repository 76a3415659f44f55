// `npm start`: the projector and the API on the embedded event log, with the example history where there is none.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { delay, wallClock } from "./clock.ts";
import { type Config, ConfigError, DEFAULT_OPS_PORT, keysFile, readConfig } from "./config.ts";
import { TOPICS } from "./events/catalogue.ts";
import { createKey, hashKey, listKeys, openKeys } from "./keys.ts";
import { opsKey } from "./ops-key.ts";

const EXAMPLE = fileURLToPath(new URL("example/", import.meta.url));
const EXAMPLE_LEAD = "a9d0a790-201b-47e9-84ed-cc7eed1270c5";
const EXAMPLE_WORKSPACE = "ws-123";
const START_DEADLINE_MS = 30_000;

/** Something that the user can put right; the message says how. */
class StartError extends Error {}

async function start(): Promise<void> {
  const config = readConfig(process.env);
  const port = await freePort("PORT", config.host, config.port);
  const opsPort = await opsPortOf(config);
  mkdirSync(config.databaseDir, { recursive: true });
  if (!config.kafka) fillEventLog(config.eventLogDir);
  const key = exampleKey(config);
  // The children's logs would bury what is printed here: warnings only, unless asked for more.
  const env = {
    ...process.env,
    PORT: String(port),
    OPS_PORT: String(opsPort),
    LOG_LEVEL: process.env.LOG_LEVEL || "warn",
  };
  const children = ["projector", "api"].map((name) => startChild(name, env));
  const stop = () => {
    for (const { process: child } of children) child.kill("SIGTERM");
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  const exits = children.map(async ({ name, process: child }) => {
    const [code] = await once(child, "exit");
    stop();
    if (code) throw new StartError(`the ${name} stopped; its last log line says why`);
  });
  const address = addressOf(config.host, port);
  await Promise.race([...exits, untilReady(address)]);
  if (children.every(({ process: child }) => child.exitCode === null && child.signalCode === null)) {
    console.log(`
The lead view is running on ${eventLogOf(config)} (Ctrl-C stops it).

  address  ${address}
  API key  ${key}  (workspace ${EXAMPLE_WORKSPACE})
  operator ${operatorsPage(config, opsPort)}

curl -s -H 'x-api-key: ${key}' ${address}/api/v1/leads/${EXAMPLE_LEAD}
`);
  }
  await Promise.all(exits);
}

const eventLogOf = ({ kafka, eventLogDir }: Config): string =>
  kafka ? `Kafka at ${kafka.brokers.join(",")}` : `the event log in ${eventLogDir}/`;

const addressOf = (host: string, port: number): string =>
  `http://${host.includes(":") ? `[${host}]` : host}:${port}`;

/** The page with the key behind #, which a browser keeps to itself. */
function operatorsPage(config: Config, port: number): string {
  const key = opsKey(config);
  return key === undefined ? "off: set OPS_KEY" : `${addressOf(config.ops.host, port)}/ops/#key=${key}`;
}

/** The operator's port: the default gives way where it is taken, one that was asked for does not. */
async function opsPortOf({ ops: { host, port } }: Config): Promise<number> {
  if (port !== undefined) return freePort("OPS_PORT", host, port);
  return freePort("OPS_PORT", host, DEFAULT_OPS_PORT).catch(() => freePort("OPS_PORT", host, 0));
}

/** The port to serve on, found free. */
async function freePort(setting: string, host: string, port: number): Promise<number> {
  const probe = createServer();
  try {
    probe.listen(port, host);
    await once(probe, "listening");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const free = port === 65_535 ? 3_000 : port + 1;
    throw new StartError(
      code === "EADDRINUSE"
        ? `port ${port} is taken. Choose another one, for example: ${setting}=${free} npm start`
        : `can't listen on ${host}:${port}: ${message}`,
    );
  }
  const { port: found } = probe.address() as { port: number };
  probe.close();
  await once(probe, "close");
  return found;
}

/** Puts the example history where there is no event log yet. */
function fillEventLog(folder: string): void {
  if (Object.values(TOPICS).some((topic) => existsSync(join(folder, topic)))) return;
  cpSync(EXAMPLE, folder, { recursive: true });
}

/** The example workspace's key: kept in a file that only this user can read, since the store has its hash alone. */
function exampleKey(config: Config): string {
  const file = join(config.databaseDir, "example-key");
  const db = openKeys(keysFile(config));
  try {
    const known = existsSync(file) ? readFileSync(file, "utf8").trim() : "";
    if (known !== "" && listKeys(db).some(({ hash }) => hash.equals(hashKey(known)))) return known;
    const key = createKey(db, EXAMPLE_WORKSPACE, "example");
    writeFileSync(file, `${key}\n`, { mode: 0o600 });
    return key;
  } finally {
    db.close();
  }
}

function startChild(
  name: string,
  env: NodeJS.ProcessEnv,
): { readonly name: string; readonly process: ChildProcess } {
  const main = fileURLToPath(new URL(`../${name}/main.ts`, import.meta.url));
  return {
    name,
    process: spawn(process.execPath, [main], { env, stdio: ["ignore", process.stderr, process.stderr] }),
  };
}

async function untilReady(address: string): Promise<void> {
  for (const deadline = wallClock() + START_DEADLINE_MS; wallClock() < deadline; await delay(50)) {
    const answer = await fetch(`${address}/health/ready`).catch(() => undefined);
    if (answer?.ok) return;
  }
  throw new StartError(`nothing answered at ${address} within ${START_DEADLINE_MS / 1_000} seconds`);
}

try {
  await start();
} catch (error) {
  if (!(error instanceof StartError || error instanceof ConfigError)) throw error;
  console.error(`lead-view: ${error.message}`);
  process.exitCode = 1;
}
