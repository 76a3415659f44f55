import { type Config, keysFile } from "../shared/config.ts";
import type { Logger } from "../shared/log.ts";
import { openKeysReader } from "./keys.ts";
import { createPresigner } from "./presign.ts";
import { createServer } from "./server.ts";
import { openViews } from "./views.ts";

/** The exit code of a process that can't listen: starting it again would not help. */
export const CANNOT_SERVE = 70;

/**
 * Serves the API in this process.
 * @returns a function that stops it once the requests under way are answered; undefined where it could not listen
 */
export async function serve(config: Config, log: Logger): Promise<(() => Promise<void>) | undefined> {
  const views = openViews(config.databaseDir, config.apiCacheBytes);
  const keys = openKeysReader(keysFile(config));
  const server = createServer({
    views,
    keys,
    presigner: createPresigner(config.s3),
    log,
    ratePerMinute: config.ratePerMinute,
  });
  const stop = async () => {
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
