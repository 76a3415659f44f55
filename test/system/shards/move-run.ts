import { setTimeout as delay } from "node:timers/promises";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import { until } from "../../harness/wait.ts";
import {
  differingAt,
  freePorts,
  type Node,
  openShardWorld,
  read,
  ready,
  type World,
  workspacesOf,
} from "./shard-world.ts";

export interface MovePlan {
  readonly config: KafkaConfig;
  /** Leads of each of the two shards. */
  readonly leads: number;
  /** Milliseconds of load before, between and after the moves. */
  readonly loadMs: number;
  /** Milliseconds between two writes of a few events. */
  readonly writeEveryMs: number;
  readonly onProgress?: (line: string) => void;
}

export interface MoveResult {
  readonly reads: number;
  readonly written: number;
  readonly failedRequests: number;
  /** Reads that gave a lower number than an earlier one of the same lead. */
  readonly numbersGoneBack: number;
  /** Reads that gave an older text than an earlier one of the same lead. */
  readonly textsGoneBack: number;
  readonly differingViews: number;
  readonly longestReadMs: number;
}

/** The one address that clients know; where it leads to is changed as the recipe says. */
interface Routing {
  targets: readonly string[];
}

/**
 * Moves from one shard to two and back under load, as RUNBOOK.md says: new members with a group and folders of their own,
 * which take over as soon as the old projectors have stopped; then the routing, then the old APIs.
 */
export async function moveRun({
  config,
  leads,
  loadMs,
  writeEveryMs,
  onProgress = () => undefined,
}: MovePlan): Promise<MoveResult> {
  const world = await openShardWorld(config);
  const workspaces = [workspacesOf(0, 2), workspacesOf(1, 2)].flat();
  const all = Array.from(
    { length: 2 * leads },
    (_, index) => [workspaces[index % workspaces.length] as string, `lead-${index}`] as const,
  );
  for (const workspaceId of workspaces) world.keyOf(workspaceId);
  const routing: Routing = { targets: [] };
  const load = new AbortController();
  try {
    await world.say(
      all.map(([workspaceId, leadId]) => [workspaceId, leadId, "lead.created", { firstName: "0" }]),
    );
    const groups = ["one", "two", "three"].map((name) => `${config.groupId}-${name}`) as [
      string,
      string,
      string,
    ];
    const whole =
      (name: string, group: string, previous: Record<string, string>) => async (): Promise<Node[]> => {
        const [port = 0] = await freePorts(1);
        return [
          await world.startNode(name, {
            shard: "0/1",
            group,
            ports: [],
            port,
            env: { ...BY_WORKSPACE, ...previous },
          }),
        ];
      };
    const halves = async (): Promise<Node[]> => {
      const ports = (await freePorts(2)).map((port) => [port]);
      const env = { KAFKA_PREVIOUS_GROUP_ID: groups[0] };
      return Promise.all(
        ports.map(([port = 0], index) =>
          world.startNode(`half-${index}`, { shard: `${index}/2`, group: groups[1], ports, port, env }),
        ),
      );
    };

    const first = await whole("whole", groups[0], {})();
    await Promise.all(first.map((node) => ready(node)));
    routing.targets = first.map(({ address }) => address);
    const working = startLoad(world, routing, all, writeEveryMs, load.signal);
    await delay(loadMs);
    onProgress("one shard serves; two begin to fold");
    const second = await move(first, halves, routing, onProgress);
    await delay(loadMs);
    onProgress("two shards serve; one begins to fold");
    const third = await move(
      second,
      whole("again", groups[2], { KAFKA_PREVIOUS_GROUP_ID: groups[1] }),
      routing,
      onProgress,
    );
    await delay(loadMs);
    load.abort();
    const result = await working;
    const settled = async () => (await differingAt(world, (third[0] as Node).address, all)).length === 0;
    await until("all events", settled, 30_000).catch(() => undefined);
    const differing = await differingAt(world, (third[0] as Node).address, all);
    return { ...result, differingViews: differing.length };
  } finally {
    load.abort();
    await world.close();
  }
}

const BY_WORKSPACE = { WORKSPACE_PARTITIONS: "4" };

/** The recipe. */
async function move(
  old: readonly Node[],
  start: () => Promise<Node[]>,
  routing: Routing,
  onProgress: (line: string) => void,
): Promise<Node[]> {
  const next = await start();
  const waits = async (node: Node) => /stop their projectors/.test((await node.reason()) ?? "");
  for (const node of next) await until(`${node.name} waits for the old ones`, () => waits(node), 120_000);
  onProgress("the new members have folded all, and wait");
  const stopped = performance.now();
  await Promise.all(old.map(({ projector }) => projector.stop()));
  await Promise.all(next.map((node) => ready(node)));
  routing.targets = next.map(({ address }) => address);
  onProgress(
    `took over ${Math.round(performance.now() - stopped)} ms after the old projectors were told to stop`,
  );
  await Promise.all(old.map(({ api }) => api.stop()));
  return next;
}

type Load = Omit<MoveResult, "differingViews">;

/** Readers who know what they were told, and a writer, until the signal aborts. */
async function startLoad(
  world: World,
  routing: Routing,
  all: readonly (readonly [string, string])[],
  writeEveryMs: number,
  signal: AbortSignal,
): Promise<Load> {
  const counts = {
    reads: 0,
    written: 0,
    failedRequests: 0,
    numbersGoneBack: 0,
    textsGoneBack: 0,
    longestReadMs: 0,
  };
  const reader = async (mine: readonly (readonly [string, string])[]) => {
    const told = new Map<string, { readonly number: number; readonly text: number }>();
    for (let at = 0; !signal.aborted; at++) {
      const [workspaceId, leadId] = mine[at % mine.length] as readonly [string, string];
      const address = routing.targets[at % routing.targets.length] as string;
      const { status, number = 0, body, took } = await read(address, world.keyOf(workspaceId), leadId);
      counts.reads++;
      counts.longestReadMs = Math.max(counts.longestReadMs, took);
      if (status !== 200) {
        counts.failedRequests++;
        continue;
      }
      const text = Number(JSON.parse(body).lead.firstName);
      const before = told.get(leadId) ?? { number: 0, text: 0 };
      if (number < before.number) counts.numbersGoneBack++;
      if (text < before.text) counts.textsGoneBack++;
      told.set(leadId, { number, text });
    }
  };
  const writer = async () => {
    for (let round = 1; !signal.aborted; round++) {
      const some = all.filter((_, index) => index % 5 === round % 5);
      await world.say(
        some.map(([workspaceId, leadId]) => [
          workspaceId,
          leadId,
          "lead.updated",
          { firstName: String(round) },
        ]),
      );
      counts.written += some.length;
      await delay(writeEveryMs);
    }
  };
  const readers = [0, 1, 2, 3].map((index) => reader(all.filter((_, at) => at % 4 === index)));
  await Promise.all([...readers, writer()]);
  return { ...counts, longestReadMs: Math.round(counts.longestReadMs) };
}
