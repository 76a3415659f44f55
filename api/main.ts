import { mkdirSync } from "node:fs";
import { keysFile, readConfig } from "../shared/config.ts";
import { openKeys } from "../shared/keys.ts";
import { createLog } from "../shared/log.ts";
import { openKeysReader } from "./keys.ts";
import { createPresigner } from "./presign.ts";
import { createServer } from "./server.ts";
import { openViews } from "./views.ts";

const config = readConfig(process.env);
const log = createLog("api", config.logLevel);

mkdirSync(config.databaseDir, { recursive: true });
openKeys(keysFile(config)).close();
const views = openViews(config.databaseDir);
const keys = openKeysReader(keysFile(config));
const server = createServer({ views, keys, presigner: createPresigner(config.s3), log });

const stop = async () => {
  await server.close();
  keys.close();
  views.close();
  log.info("api stopped");
};
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void stop());

try {
  await server.listen({ host: config.host, port: config.port });
} catch (error) {
  const taken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
  const reason = taken ? `port ${config.port} is taken; set PORT to a free one` : (error as Error).message;
  log.fatal({ error: reason }, "api can't listen");
  process.exitCode = 1;
  await stop();
}
