import { hostname } from "node:os";
import type { FastifyInstance } from "fastify";
import { after } from "../../shared/clock.ts";
import type { Config } from "../../shared/config.ts";
import { type Shard, shardName } from "../../shared/shard.ts";
import type { Monitor } from "./monitor.ts";

/** Milliseconds that another projector has for its answer. */
const ANSWER_MS = 1_000;

/** How the projector of a shard is doing, as it says itself. */
export interface ShardStatus {
  readonly shard: string;
  readonly host: string;
  /** Null where it does not know yet whether it is the owner. */
  readonly owns: boolean | null;
  /** Why it is not ready; null where it is. */
  readonly reason: string | null;
  /** Records that are not folded yet. */
  readonly lag: number;
  /** Milliseconds since 1970 at which records were last committed; null = not since it started. */
  readonly lastCommitAt: number | null;
  /** The last number that it gave. */
  readonly lastNumber: number | null;
  readonly deadLetters: number;
}

/** A projector as another one sees it. */
export interface ShardRow extends Partial<ShardStatus> {
  readonly shard: string;
  /** Where it was asked; null = it is the one that answers here. */
  readonly address: string | null;
  /** Why it could not be asked; null where it could. */
  readonly error: string | null;
}

interface ShardParts {
  readonly monitor: Monitor;
  readonly config: Config;
  readonly key: string;
}

/**
 * Who owns which shard, and how far each is: every projector tells of itself, and asks those at SHARD_OPS_URLS, which have
 * the same OPS_KEY.
 */
export function shardRoutes(server: FastifyInstance, { monitor, config, key }: ShardParts): void {
  const { shard, shardOpsUrls } = config;
  const own = (): ShardStatus => ({
    shard: shardName(shard),
    host: hostname(),
    owns: monitor.owns() ?? null,
    reason: monitor.reason() ?? null,
    lag: monitor.lag(),
    lastCommitAt: monitor.lastCommitAt() ?? null,
    lastNumber: monitor.store()?.numbers.last() ?? null,
    deadLetters: monitor.deadLetters(),
  });
  server.get("/ops/api/shard", own);
  server.get("/ops/api/shards", async (): Promise<ShardRow[]> => {
    const all = shardOpsUrls.flatMap((urls, index) =>
      urls.map((url) => askAt(url, { index, count: shard.count }, key)),
    );
    if (all.length === 0) return [{ ...own(), address: null, error: null }];
    return Promise.all(all);
  });
}

async function askAt(url: string, shard: Shard, key: string): Promise<ShardRow> {
  const row = { shard: shardName(shard), address: url };
  const late = new AbortController();
  const timer = after(ANSWER_MS, () => late.abort());
  try {
    const answer = await fetch(new URL("/ops/api/shard", url), {
      headers: { "x-ops-key": key },
      signal: late.signal,
    });
    if (answer.status === 401) return { ...row, error: "it has another OPS_KEY" };
    if (!answer.ok) return { ...row, error: `it answers ${answer.status}` };
    const status = (await answer.json()) as ShardStatus;
    const error =
      status.shard === row.shard
        ? null
        : `it is shard ${status.shard}, not ${row.shard}: SHARD_OPS_URLS is in another order`;
    return { ...status, ...row, error };
  } catch (error) {
    return { ...row, error: `it does not answer (${(error as Error).name})` };
  } finally {
    timer.stop();
  }
}
