import type { Server } from "node:http";
import { promisify } from "node:util";
import { delay, monotonic } from "../shared/clock.ts";
import { type Config, keysFile } from "../shared/config.ts";
import { createReadiness } from "../shared/control.ts";
import type { Logger } from "../shared/log.ts";
import { mostConnections } from "./connection-shares.ts";
import { openKeysReader } from "./keys.ts";
import { createPresigner } from "./presign.ts";
import { createAsker } from "./primary.ts";
import { createServer } from "./server.ts";
import { openShardNodes } from "./shard-nodes.ts";
import { createTurn } from "./turn.ts";
import { openViews } from "./views.ts";

/** It can't be listened at the address: starting again would not help. */
export class CannotListen extends Error {
  override readonly name = "CannotListen";
}

/**
 * Serves the API in this process.
 * @returns a function that stops it: it serves on for so many milliseconds, or until no client is left, and then until
 * the requests under way are answered
 * @throws CannotListen
 */
export async function serve(config: Config, log: Logger): Promise<(drainMs?: number) => Promise<void>> {
  const { host, port } = config;
  const views = openViews(config.databaseDir, config.apiCacheBytes);
  const keys = openKeysReader(keysFile(config));
  const readiness = createReadiness(config.databaseDir);
  const shards = openShards(config);
  const most = mostConnections();
  const server = createServer({
    views,
    keys,
    presigner: createPresigner(config.s3),
    readiness,
    log,
    ratePerMinute: config.ratePerMinute,
    timeouts: config.httpTimeouts,
    trustedProxies: config.trustedProxies,
    topics: config.topics,
    ask: createAsker(),
    // What is passed on takes a second connection.
    mostConnections: shards ? most && Math.ceil(most / 2) : most,
    shards,
    streamsPerKey: config.streamsPerKey,
  });
  try {
    const address = await server.listen({ host, port });
    log.info({ address }, "api listening");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CannotListen(code === "EADDRINUSE" ? `port ${port} is taken; set PORT to a free one` : message);
  }
  return async (drainMs = 0) => {
    server.drain();
    await untilLeft(server.server, drainMs);
    await server.close();
    keys.close();
    views.close();
    readiness.close();
    shards?.turn.close();
    log.info("api stopped");
  };
}

/** Undefined where this node has the views of all workspaces, whoever else has them too. */
function openShards({ role, shard, shardUrls, databaseDir, kafka }: Config) {
  if (role === "replica" || (shard.count === 1 && shardUrls.length === 0)) return undefined;
  // Where the shard has another address, its other database takes over from a projector that was silent for so long.
  const leaseMs = (shardUrls[shard.index]?.length ?? 0) > 1 ? kafka?.sessionTimeoutMs : undefined;
  return { shard, urls: shardUrls, turn: createTurn(databaseDir, leaseMs), nodes: openShardNodes() };
}

const LOOK_MS = 20;

/** Waits until no client is connected, but no longer than so many milliseconds. */
async function untilLeft(server: Server, mostMs: number): Promise<void> {
  const connections = promisify(server.getConnections.bind(server));
  for (const deadline = monotonic() + mostMs; monotonic() < deadline; await delay(LOOK_MS)) {
    if ((await connections()) === 0) return;
  }
}
