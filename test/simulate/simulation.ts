import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openKeysReader } from "../../api/keys.ts";
import { createPresigner } from "../../api/presign.ts";
import { createServer, type LeadServer } from "../../api/server.ts";
import { openViews } from "../../api/views.ts";
import { createMonitor } from "../../projector/ops/monitor.ts";
import { becomeOwner } from "../../projector/owner/lock.ts";
import { runOwner } from "../../projector/owner/run-owner.ts";
import { passingOn } from "../../projector/trace/tracing.ts";
import { type Config, keysFile, readConfig } from "../../shared/config.ts";
import { createReadiness } from "../../shared/control.ts";
import { createKey, openKeys } from "../../shared/keys.ts";
import { bury, closeAll } from "./disk.ts";
import { createLog } from "./edges/log.ts";
import { type Actor, boot, inActor, Killed, type Machine, rootOf } from "./machine.ts";
import { newOutside, type Outside } from "./outside.ts";
import { Readers } from "./subscribers.ts";
import { Log } from "./what-was-said.ts";

export const WORKSPACES = ["ws-1", "ws-2"] as const;
/** Seconds; small, so that a lag shows soon. */
export const READY_MAX_LAG_S = 5;
export const MAX_EVENT_BYTES = 16_384;
const MOST_WORKERS = 3;
/** Records that come without an end in sight before threads fold: always, now and then, hardly ever. */
const WORKERS_FROM = [0, 5, 40] as const;

/** A process that follows the log, or waits to. */
export interface Projector {
  readonly actor: Actor;
  readonly stopping: AbortController;
  owns: boolean;
}

export interface Api {
  readonly actor: Actor;
  readonly server: LeadServer;
  /** Asks it as a client does. */
  get(url: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
}

export interface Answer {
  readonly statusCode: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** A folder, what is outside of it, and the processes that work on it. */
export interface Simulation {
  readonly machine: Machine;
  readonly outside: Outside;
  readonly config: Config;
  readonly folder: string;
  readonly log: Log;
  readonly readers: Readers;
  readonly keys: ReadonlyMap<string, string>;
  readonly projectors: (Projector | undefined)[];
  readonly violations: string[];
  /** Commands under way. */
  readonly commands: Set<Actor>;
  api: Api | undefined;
  /** When the last owner died, by the machine's clock. */
  ownerDiedAt: number;
  /** Until when files can only be read. */
  readonlyUntil: number;
  report(violation: string): void;
  startProjector(index: number): void;
  startApi(): Promise<void>;
  /** Runs what a command would, in a process of its own. */
  command(name: string, work: () => Promise<unknown>): void;
  owner(): Projector | undefined;
  end(): void;
}

let prepared = false;

/** @param folder where the files are made; of memory, where the machine has such */
export function createSimulation(seed: number, folder: string): Simulation {
  const machine = boot(seed);
  machine.onDeath.push(bury);
  const outside = newOutside();
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "views"), { recursive: true });
  Object.assign(process.env, {
    DATABASE_DIR: join(folder, "views"),
    EVENT_LOG_DIR: join(folder, "log"),
    KAFKA_BROKERS: "sim:9092",
    WEBHOOKS_ALLOW_PRIVATE: "true",
    READY_MAX_LAG_S: String(READY_MAX_LAG_S),
    MAX_EVENT_BYTES: String(MAX_EVENT_BYTES),
    FOLD_WORKERS: String(1 + (seed % MOST_WORKERS)),
    FOLD_WORKERS_FROM: String(WORKERS_FROM[Math.floor(seed / MOST_WORKERS) % WORKERS_FROM.length]),
  });
  const config = readConfig(process.env);
  const violations: string[] = [];
  const report = (violation: string) => void violations.push(violation);
  const keys = makeKeys(config);
  listenForRejections();
  let started = 0;
  const servers = new Map<Actor, LeadServer>();

  const simulation: Simulation = {
    machine,
    outside,
    config,
    folder: config.databaseDir,
    log: new Log(outside),
    readers: new Readers(outside, report),
    keys,
    projectors: [undefined, undefined],
    violations,
    commands: new Set(),
    api: undefined,
    ownerDiedAt: 0,
    readonlyUntil: Number.NEGATIVE_INFINITY,
    report,
    startProjector(index) {
      if (simulation.projectors[index]?.actor.alive) return;
      const actor = machine.actor(`projector-${++started}`);
      const projector: Projector = {
        actor,
        stopping: new AbortController(),
        owns: false,
      };
      simulation.projectors[index] = projector;
      inActor(actor, () => {
        runProjector(config, projector).then(
          () => ended(projector, undefined),
          (error) => ended(projector, error),
        );
      });
    },
    async startApi() {
      if (simulation.api?.actor.alive) return;
      const actor = machine.actor(`api-${++started}`);
      simulation.api = undefined;
      const server = await inActor(actor, () => openApi(config));
      servers.set(actor, server);
      // A request begins where its answer is asked for: within the process.
      const get: Api["get"] = (url, headers = {}) =>
        inActor(actor, async () => await server.inject({ url, headers }));
      simulation.api = { actor, server, get };
    },
    command(name, work) {
      const actor = machine.actor(`${name}-${++started}`);
      simulation.commands.add(actor);
      const done = (error?: unknown) => {
        if (error instanceof Killed || !actor.alive) return;
        machine.kill(actor);
        simulation.commands.delete(actor);
      };
      inActor(actor, () => void work().then(() => done(), done));
    },
    owner: () => simulation.projectors.find((one) => one?.actor.alive && one.owns),
    end() {
      for (const server of servers.values()) server.server.close(() => undefined);
      machine.end();
      closeAll();
      rmSync(folder, { recursive: true, force: true });
    },
  };

  const ended = (projector: Projector, error: Error | undefined) => {
    if (error instanceof Killed || !projector.actor.alive) return;
    machine.kill(projector.actor);
    if (error && !(isReadonly(error) && machine.now <= simulation.readonlyUntil + RETRY_MS))
      report(
        `a projector stopped by itself: ${(error as { code?: string }).code ?? ""} ${error.stack ?? error.message}`,
      );
  };
  machine.onDeath.push((dead) => {
    for (const actor of dead) {
      // It listens nowhere; but its server looks after connections by a timer of its own, that would keep all of it.
      servers.get(actor)?.server.close(() => undefined);
      servers.delete(actor);
    }
    for (const projector of simulation.projectors)
      if (projector?.owns && dead.has(projector.actor)) simulation.ownerDiedAt = machine.now;
    for (const command of simulation.commands) if (!command.alive) simulation.commands.delete(command);
  });
  unhandled = (error) =>
    report(`a rejection that nobody handles would end the process: ${error.stack ?? error}`);
  return simulation;
}

/** The one trouble that ends a projector: somebody has to give it its rights back. */
const isReadonly = (error: Error): boolean =>
  [error, error.cause].some((one) => (one as { code?: string } | undefined)?.code === "SQLITE_READONLY");

/** What met it is told of when what goes on beside it has ended. */
const RETRY_MS = 5_000;

let unhandled: (error: Error) => void = () => undefined;

function listenForRejections(): void {
  if (prepared) return;
  prepared = true;
  process.on("unhandledRejection", (error) => {
    if (!(error instanceof Killed)) unhandled(error as Error);
  });
}

/** A key for each workspace, that stays. */
function makeKeys(config: Config): ReadonlyMap<string, string> {
  const db = openKeys(keysFile(config));
  const made = WORKSPACES.map((workspace) => [workspace, createKey(db, workspace, "stays")] as const);
  db.close();
  return new Map(made);
}

/** As projector/main.ts has it, without what is served over HTTP. */
async function runProjector(config: Config, projector: Projector): Promise<void> {
  const log = createLog("projector", config.logLevel);
  const monitor = createMonitor(
    {
      role: "projector",
      databaseDir: config.databaseDir,
      publishes: true,
      mostLagSeconds: config.readyMaxLagSeconds,
    },
    () => undefined,
  );
  const { signal } = projector.stopping;
  try {
    const ownership = await becomeOwner(config.databaseDir, signal, (why) => monitor.is("standby", why));
    projector.owns = ownership !== undefined;
    try {
      if (ownership) await runOwner({ config, log, monitor, tracing: passingOn }, signal);
    } finally {
      ownership?.release();
    }
  } finally {
    monitor.stop();
  }
}

const MOST_STREAMS = 1_000;

async function openApi(config: Config): Promise<LeadServer> {
  const { databaseDir } = config;
  const server = createServer({
    views: openViews(databaseDir, 256 * 1024),
    keys: openKeysReader(keysFile(config)),
    presigner: createPresigner(undefined),
    readiness: createReadiness(databaseDir),
    log: createLog("api", config.logLevel),
    ratePerMinute: 0,
    timeouts: config.httpTimeouts,
    trustedProxies: [],
    topics: config.topics,
    ask: undefined,
    mostConnections: undefined,
    streamsPerKey: MOST_STREAMS,
    feedLimits: { stallMs: 5_000 },
  });
  await server.ready();
  return server;
}

/** True where the process is one of a simulation's projectors, or a thread of it. */
export const isProjector = (actor: Actor): boolean => rootOf(actor).name.startsWith("projector-");
