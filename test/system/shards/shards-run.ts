import { setTimeout as delay } from "node:timers/promises";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import type { Broker } from "../../harness/broker/host-broker.ts";
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

export interface ShardsPlan {
  readonly config: KafkaConfig;
  /** Undefined = a broker that others use too: it is not restarted. */
  readonly broker?: Broker | undefined;
  /** How often all that can fail does. */
  readonly rounds: number;
  readonly leads: number;
  readonly onProgress?: (line: string) => void;
}

export interface ShardsResult {
  readonly reads: number;
  readonly written: number;
  /** Requests of a shard that was well, at a node that was well, which were not answered. */
  readonly failedRequests: number;
  readonly numbersGoneBack: number;
  /** Through each of the nodes, at the end. */
  readonly differingViews: number;
  readonly longestReadMs: number;
}

type Lead = readonly [workspaceId: string, leadId: string];

/** What is down just now: nothing is expected of it. */
interface Trouble {
  readonly nodes: Set<Node>;
  readonly shards: Set<number>;
}

/**
 * Two shards, the first with a standby database on another host, under load: owners, standbys and forwarding nodes are
 * killed, the group is rebalanced, the broker restarted. Then each node has to answer as an unsharded fold.
 */
export async function shardsRun({
  config,
  broker,
  rounds,
  leads,
  onProgress = () => undefined,
}: ShardsPlan): Promise<ShardsResult> {
  const world = await openShardWorld(config);
  const workspaces = [workspacesOf(0, 2), workspacesOf(1, 2)];
  const all = Array.from({ length: leads }, (_, index): readonly [Lead, number] => {
    const shard = index % 2;
    return [[workspaces[shard]?.[(index >> 1) % 2] as string, `lead-${index}`], shard];
  });
  for (const workspaceId of workspaces.flat()) world.keyOf(workspaceId);
  const trouble: Trouble = { nodes: new Set(), shards: new Set() };
  const load = new AbortController();
  try {
    await world.say(
      all.map(([[workspaceId, leadId]]) => [workspaceId, leadId, "lead.created", { firstName: "0" }]),
    );
    const [a = 0, b = 0, c = 0] = await freePorts(3);
    const plan = { group: config.groupId, ports: [[a, b], [c]] };
    const first = await world.startNode("first", { shard: "0/2", port: a, ...plan });
    const other = await world.startNode("other", { shard: "1/2", port: c, ...plan });
    await Promise.all([ready(first), ready(other)]);
    const second = await world.startNode("second", { shard: "0/2", port: b, ...plan });
    const isStandby = async (node: Node) => /standby of shard/.test((await node.reason()) ?? "");
    await until("a standby", () => isStandby(second), 30_000);
    const nodes = [first, second, other];
    const working = startLoad(world, nodes, all, { trouble, onFailure: onProgress }, load.signal);
    // Told of at the end, unless something else fails before.
    working.catch(() => undefined);
    let [owner, standby] = [first, second];
    for (let round = 0; round < rounds; round++) {
      onProgress(`round ${round}: the owner makes its views anew and switches, and keeps its turn`);
      await owner.command("rebuild");
      await ready(owner, 60_000);
      let reason: string | undefined;
      await until("the standby to stand by still", async () => {
        reason = await standby.reason();
        if (reason === undefined) throw new Error("a standby took over from an owner that switched");
        return /standby of shard/.test(reason);
      }).catch((error) => {
        const said = [owner, standby].map(
          ({ name, projector }) => `${name}: ${projector.output().slice(-4_000)}`,
        );
        throw new Error(`${error.message}: ${reason}; ${said.join("\n")}`);
      });

      onProgress("the owner's host is killed");
      trouble.nodes.add(owner);
      trouble.shards.add(0);
      await Promise.all([owner.projector.stop("SIGKILL"), owner.api.stop("SIGKILL")]);
      await ready(standby, 60_000);
      trouble.shards.delete(0);
      [owner, standby] = [standby, owner];

      onProgress("it comes back, stands by, and is killed again, with the group rebalanced both times");
      standby.startProjector();
      standby.startApi();
      await standby.api.said("api listening");
      await until("a standby again", () => isStandby(standby), 60_000);
      trouble.nodes.delete(standby);
      await delay(300);
      trouble.nodes.add(standby);
      await Promise.all([standby.projector.stop("SIGKILL"), standby.api.stop("SIGKILL")]);
      standby.startProjector();
      standby.startApi();
      await standby.api.said("api listening");
      await until("a standby again", () => isStandby(standby), 60_000);
      trouble.nodes.delete(standby);

      onProgress("a node that passes requests on is killed: its projector folds on");
      trouble.nodes.add(other);
      trouble.shards.add(1);
      await other.api.stop("SIGKILL");
      await delay(300);
      other.startApi();
      await other.api.said("api listening");
      trouble.nodes.delete(other);
      trouble.shards.delete(1);

      if (broker?.kill && broker.start) {
        onProgress("the broker is killed and started again; reads go on");
        await broker.kill();
        await delay(3_000);
        await broker.start();
        const [turn] = await Promise.all([
          until(
            "an owner",
            async () => (await owner.reason()) === undefined || (await standby.reason()) === undefined,
            120_000,
          ),
          ready(other, 120_000),
        ]);
        if (turn && (await owner.reason()) !== undefined) [owner, standby] = [standby, owner];
      }
    }
    load.abort();
    const result = await working;
    const list = all.map(([lead]) => lead);
    const differing: string[] = [];
    for (const node of nodes) {
      const same = async () => (await differingAt(world, node.address, list)).length === 0;
      await until("the same as unsharded", same, 60_000).catch(() => undefined);
      differing.push(...(await differingAt(world, node.address, list)));
    }
    if (differing.length > 0) onProgress(differing.slice(0, 10).join("; "));
    return { ...result, differingViews: differing.length };
  } finally {
    load.abort();
    await world.close();
  }
}

type Load = Omit<ShardsResult, "differingViews">;

/** Readers at all nodes, and a writer that outlives a broker's restart, until the signal aborts. */
async function startLoad(
  world: World,
  nodes: readonly Node[],
  all: readonly (readonly [Lead, number])[],
  { trouble, onFailure }: { readonly trouble: Trouble; readonly onFailure: (line: string) => void },
  signal: AbortSignal,
): Promise<Load> {
  const counts = { reads: 0, written: 0, failedRequests: 0, numbersGoneBack: 0, longestReadMs: 0 };
  const wellAt = (node: Node, shard: number) => !trouble.nodes.has(node) && !trouble.shards.has(shard);
  const reader = async (mine: readonly (readonly [Lead, number])[]) => {
    const told = new Map<string, number>();
    for (let at = 0; !signal.aborted; at++) {
      const [[workspaceId, leadId], shard] = mine[at % mine.length] as readonly [Lead, number];
      const node = nodes[Math.floor(at / mine.length) % nodes.length] as Node;
      const wasWell = wellAt(node, shard);
      const { status, number = 0, body, took } = await read(node.address, world.keyOf(workspaceId), leadId);
      counts.reads++;
      counts.longestReadMs = Math.max(counts.longestReadMs, took);
      if (status === 200) {
        if (number < (told.get(leadId) ?? 0)) counts.numbersGoneBack++;
        told.set(leadId, number);
      } else if (wasWell && wellAt(node, shard)) {
        counts.failedRequests++;
        onFailure(`${leadId} of shard ${shard} at ${node.name}: ${status} ${body}`);
      }
      await delay(2);
    }
  };
  const writer = async () => {
    for (let round = 1; !signal.aborted; round++) {
      const some = all.filter((_, index) => index % 5 === round % 5);
      await world.say(
        some.map(([[workspaceId, leadId]]) => [
          workspaceId,
          leadId,
          "lead.updated",
          { firstName: String(round) },
        ]),
      );
      counts.written += some.length;
      await delay(100);
    }
  };
  const readers = [0, 1].map((index) => reader(all.filter((_, at) => (at >> 1) % 2 === index)));
  await Promise.all([...readers, writer()]);
  return { ...counts, longestReadMs: Math.round(counts.longestReadMs) };
}
