import type { Server } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { type Config, keysFile } from "../shared/config.ts";
import type { Logger } from "../shared/log.ts";
import { limitConnections } from "./connection-limit.ts";
import { openKeysReader } from "./keys.ts";
import { createPresigner } from "./presign.ts";
import { createServer } from "./server.ts";
import { openViews } from "./views.ts";

/** The exit code of a process that can't listen: starting it again would not help. */
export const CANNOT_SERVE = 70;

/**
 * Serves the API in this process.
 * @returns a function that stops it: it serves on for so many milliseconds, or until no client is left, and then until
 * the requests under way are answered; undefined where it could not listen
 */
export async function serve(
  config: Config,
  log: Logger,
): Promise<((drainMs?: number) => Promise<void>) | undefined> {
  const views = openViews(config.databaseDir, config.apiCacheBytes);
  const keys = openKeysReader(keysFile(config));
  const server = createServer({
    views,
    keys,
    presigner: createPresigner(config.s3),
    log,
    ratePerMinute: config.ratePerMinute,
  });
  limitConnections(server.server, log);
  const stop = async (drainMs = 0) => {
    server.drain();
    await untilLeft(server.server, drainMs);
    await server.close();
    keys.close();
    views.close();
    log.info("api stopped");
  };
  try {
    await server.listen({ host: config.host, port: config.port });
    return stop;
  } catch (error) {
    const taken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
    const reason = taken ? `port ${config.port} is taken; set PORT to a free one` : (error as Error).message;
    log.fatal({ error: reason }, "api can't listen");
    process.exitCode = CANNOT_SERVE;
    await stop();
    process.disconnect?.();
    return undefined;
  }
}

const LOOK_MS = 20;

/** Waits until no client is connected, but no longer than so many milliseconds. */
async function untilLeft(server: Server, mostMs: number): Promise<void> {
  const connections = promisify(server.getConnections.bind(server));
  for (const deadline = performance.now() + mostMs; performance.now() < deadline; await delay(LOOK_MS)) {
    if ((await connections()) === 0) return;
  }
}
