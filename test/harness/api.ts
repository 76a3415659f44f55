import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { FeedLimits } from "../../api/feed/change-feed.ts";
import { openKeysReader } from "../../api/keys.ts";
import type { Shards } from "../../api/plugins/forward.ts";
import { createPresigner } from "../../api/presign.ts";
import { createServer } from "../../api/server.ts";
import { openViews } from "../../api/views.ts";
import { keysFile, readConfig, type S3Config } from "../../shared/config.ts";
import type { Readiness } from "../../shared/control.ts";
import { viewFile } from "../../shared/generation.ts";
import { createKey, openKeys } from "../../shared/keys.ts";
import { createLog } from "../../shared/log.ts";
import { openProjector } from "./projector.ts";

/** How an API is set up for a test; what is left out is as by default. */
export interface ApiOptions {
  readonly s3?: S3Config;
  readonly now?: () => number;
  readonly ratePerMinute?: number;
  readonly mostConnections?: number;
  readonly feedLimits?: Partial<FeedLimits>;
  /** Ready where it is not given. */
  readonly readiness?: Readiness;
  /** Where other workspaces are; absent = here. */
  readonly shards?: Shards;
  /** Settings. */
  readonly env?: Readonly<Record<string, string>>;
}

/** An API over a folder, whoever writes into it. */
export function openApiOf(
  databaseDir: string,
  {
    s3,
    now,
    ratePerMinute = 0,
    shards,
    env = {},
    mostConnections,
    feedLimits = {},
    readiness = { reason: () => undefined, close: () => undefined },
  }: ApiOptions = {},
) {
  const { httpTimeouts: timeouts, trustedProxies, topics, streamsPerKey } = readConfig(env);
  const views = openViews(databaseDir, 2 ** 20);
  const keys = openKeysReader(keysFile({ databaseDir }));
  const server = createServer({
    views,
    keys,
    presigner: createPresigner(s3, now),
    log: createLog("api", "silent"),
    readiness,
    ratePerMinute,
    timeouts,
    trustedProxies,
    topics,
    ask: undefined,
    mostConnections,
    streamsPerKey,
    feedLimits,
    shards,
  });
  return {
    server,
    async close() {
      await server.close();
      views.close();
      keys.close();
    },
  };
}

/** A projector and an API over the same folder, with a key for `ws-1` and one for `ws-2`. */
export function openApi(options: ApiOptions = {}) {
  const databaseDir = mkdtempSync(join(tmpdir(), "lead-view-api-"));
  const projector = openProjector(viewFile({ databaseDir }));
  const keyStore = openKeys(keysFile({ databaseDir }));
  const key = createKey(keyStore, "ws-1", "test");
  const otherKey = createKey(keyStore, "ws-2", "test");
  const api = openApiOf(databaseDir, options);
  const { server } = api;
  return {
    databaseDir,
    projector,
    keyStore,
    server,
    key,
    otherKey,
    async get(
      leadId: string,
      headers: Record<string, string> = { "x-api-key": key },
      method: "GET" | "HEAD" = "GET",
    ) {
      // The projector writes in this same turn of the event loop, whose reads share a snapshot.
      await setImmediate();
      return server.inject({ method, url: `/api/v1/leads/${encodeURIComponent(leadId)}`, headers });
    },
    async close() {
      await api.close();
      keyStore.close();
      projector.close();
      rmSync(databaseDir, { recursive: true, force: true });
    },
  };
}
