import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { SourceRecord } from "../../../projector/source/source.ts";
import { keysFile } from "../../../shared/config.ts";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import { createKey, openKeys } from "../../../shared/keys.ts";
import { partitionOfWorkspace } from "../../../shared/shard.ts";
import { createSpeaker } from "../../harness/events.ts";
import { freePort } from "../../harness/free-port.ts";
import { envOf, openCluster } from "../../harness/kafka.ts";
import { startProgram } from "../../harness/process.ts";
import { openProjector } from "../../harness/projector.ts";
import { until } from "../../harness/wait.ts";

export const PARTITIONS = 4;
/** Milliseconds that a broker may be away. */
const SAYING_MS = 120_000;
const LEAD_VIEW = fileURLToPath(new URL("../../../shared/command-line/lead-view.js", import.meta.url));

/** A projector and an API over one folder. */
export interface Node {
  readonly name: string;
  readonly address: string;
  /** Why the projector, or the API, is not ready; undefined where both are. */
  reason(): Promise<string | undefined>;
  projector: ReturnType<typeof startProgram>;
  api: ReturnType<typeof startProgram>;
  /** Runs a command line on the node's folder; what it says. @throws Error where it fails */
  command(...args: string[]): Promise<string>;
  /** Starts again what was stopped. */
  startProjector(): void;
  startApi(): void;
}

export interface NodePlan {
  /** Such as "0/2". */
  readonly shard: string;
  readonly group: string;
  /** The ports of the APIs of each shard. */
  readonly ports: readonly (readonly number[])[];
  readonly port: number;
  readonly env?: Readonly<Record<string, string>>;
}

export type World = Awaited<ReturnType<typeof openShardWorld>>;

/** Topics that are partitioned by workspace, nodes over them, and what an unsharded fold makes of the same events. */
export async function openShardWorld(config: KafkaConfig) {
  const cluster = await openCluster(config, PARTITIONS);
  const folder = mkdtempSync(join(tmpdir(), "shards-"));
  const nodes: Node[] = [];
  const unsharded = openProjector();
  const speaker = createSpeaker();
  const keys = new Map<string, string>();
  const env = {
    ...envOf(config),
    KAFKA_SESSION_TIMEOUT_MS: "6000",
    API_WORKERS: "1",
    API_DRAIN_MS: "300",
  };
  const master = openKeys(keysFile({ databaseDir: folder }));

  /** Every node has every key. */
  const copyKeys = (databaseDir: string) => {
    const db = openKeys(keysFile({ databaseDir }));
    for (const row of master.prepare<[], Record<string, unknown>>("SELECT * FROM api_key").all()) {
      const names = Object.keys(row);
      db.prepare(
        `INSERT OR IGNORE INTO api_key (${names.join(", ")}) VALUES (${names.map((name) => `@${name}`).join(", ")})`,
      ).run(row);
    }
    db.close();
  };

  return {
    cluster,
    folder,
    /** A key of the workspace; to be asked for before nodes are started. */
    keyOf(workspaceId: string): string {
      const known = keys.get(workspaceId);
      if (known !== undefined) return known;
      const key = createKey(master, workspaceId, "test");
      keys.set(workspaceId, key);
      return key;
    },
    /**
     * Says something of a lead: to the topics, and to the unsharded fold. Said again until a broker that is away has it: what
     * it has of it already is passed over as a repetition.
     */
    async say(
      records: readonly (readonly [workspaceId: string, leadId: string, event: string, data: object])[],
    ): Promise<void> {
      const spoken = records.map(([workspaceId, leadId, event, data]): SourceRecord => {
        const record = speaker.say({ workspaceId, leadId, event, data: data as Record<string, unknown> });
        return { ...record, timestamp: Date.now() };
      });
      unsharded.foldBatch(spoken);
      const placed = spoken.map((record, index) => ({
        ...record,
        partition: partitionOfWorkspace((records[index] as (typeof records)[number])[0], PARTITIONS),
      }));
      const produced = () =>
        cluster.produce(placed).then(
          () => true,
          () => false,
        );
      await until("the broker to take what is said", produced, SAYING_MS);
    },
    /** What an unsharded fold says of a lead. */
    expected: (leadId: string): string | undefined =>
      unsharded.store.views.get(leadId)?.body?.toString("utf8"),
    async startNode(name: string, { shard, group, ports, port, env: more = {} }: NodePlan): Promise<Node> {
      const databaseDir = join(folder, name);
      mkdirSync(databaseDir, { recursive: true });
      copyKeys(databaseDir);
      const urls = ports.map((all) => all.map((one) => `http://127.0.0.1:${one}`).join("|")).join(",");
      const settings = {
        ...env,
        DATABASE_DIR: databaseDir,
        SHARD: shard,
        SHARD_URLS: urls,
        KAFKA_GROUP_ID: group,
        PORT: String(port),
        HOST: "127.0.0.1",
        ...more,
      };
      const startProjector = () => startProgram("projector/main.ts", settings);
      const startApi = () => startProgram("api/main.ts", settings);
      const node: Node = {
        name,
        address: `http://127.0.0.1:${port}`,
        projector: startProjector(),
        api: startApi(),
        async reason() {
          const answer = await fetch(`${await node.projector.opsAddress()}/health/ready`).catch(
            () => undefined,
          );
          return (
            (await reasonIn(answer)) ??
            reasonIn(await fetch(`${node.address}/health/ready`).catch(() => undefined))
          );
        },
        async command(...args) {
          const child = spawn(process.execPath, [LEAD_VIEW, ...args], {
            env: { ...process.env, LOG_LEVEL: "error", ...settings },
            stdio: ["ignore", "pipe", "pipe"],
          });
          const output = [child.stdout, child.stderr].map((one) => text(one));
          const [code] = await once(child, "exit");
          const said = (await Promise.all(output)).join("");
          if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${said}`);
          return said;
        },
        startProjector() {
          node.projector = startProjector();
        },
        startApi() {
          node.api = startApi();
        },
      };
      nodes.push(node);
      await node.api.said("api listening");
      return node;
    },
    async close() {
      for (const { projector, api } of nodes) {
        await projector.stop("SIGKILL");
        await api.stop("SIGKILL");
      }
      master.close();
      unsharded.close();
      await cluster.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function reasonIn(answer: Response | undefined): Promise<string | undefined> {
  if (answer === undefined) return "it does not answer";
  return answer.ok ? undefined : ((await answer.json()) as { detail: string }).detail;
}

/** Waits until a node is ready. */
export async function ready(node: Node, deadlineMs = 30_000): Promise<void> {
  let reason: string | undefined;
  await until(
    "ready",
    async () => {
      reason = await node.reason();
      return reason === undefined;
    },
    deadlineMs,
  ).catch(() => {
    throw new Error(`${node.name} is not ready: ${reason}; it says ${node.projector.output().slice(-3_000)}`);
  });
}

export const freePorts = (count: number): Promise<number[]> =>
  Promise.all(Array.from({ length: count }, freePort));

/** Some workspaces of each of two shards. */
export const workspacesOf = (shard: number, count: number): string[] => {
  const found: string[] = [];
  for (let at = 0; found.length < count; at++)
    if (partitionOfWorkspace(`ws-${at}`, 2) === shard) found.push(`ws-${at}`);
  return found;
};

export interface Read {
  readonly status: number;
  /** The view's number; undefined where there is none. */
  readonly number: number | undefined;
  readonly body: string;
  /** Milliseconds. */
  readonly took: number;
}

/** Reads a lead; status 0 where there was no answer. */
export function read(address: string, key: string, leadId: string): Promise<Read> {
  const started = performance.now();
  return new Promise((resolve) => {
    const failed = () =>
      resolve({ status: 0, number: undefined, body: "", took: performance.now() - started });
    const request = httpRequest(
      `${address}/api/v1/leads/${encodeURIComponent(leadId)}`,
      { headers: { "x-api-key": key }, timeout: 10_000 },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (text) => (body += text));
        response.on("error", failed);
        response.on("end", () => {
          const number = /(\d{10,})/.exec(String(response.headers.etag))?.[1];
          resolve({
            status: response.statusCode ?? 0,
            number: number === undefined ? undefined : Number(number),
            body,
            took: performance.now() - started,
          });
        });
      },
    );
    request.on("timeout", () => request.destroy());
    request.on("error", failed);
    request.end();
  });
}

/** The leads that a node does not answer as an unsharded fold has them. */
export async function differingAt(
  world: World,
  address: string,
  leads: readonly (readonly [workspaceId: string, leadId: string])[],
): Promise<string[]> {
  const differing: string[] = [];
  for (const [workspaceId, leadId] of leads) {
    const { status, body } = await read(address, world.keyOf(workspaceId), leadId);
    if (status !== 200 || body !== world.expected(leadId)) differing.push(`${leadId}: ${status}`);
  }
  return differing;
}
