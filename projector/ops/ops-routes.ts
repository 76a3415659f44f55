import { timingSafeEqual } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { wallClock } from "../../shared/clock.ts";
import type { Config } from "../../shared/config.ts";
import { ProblemError } from "../../shared/http/problem.ts";
import { createWrongKeyCount, wrongKeyProblem } from "../../shared/http/wrong-keys.ts";
import { hashKey } from "../../shared/keys.ts";
import { VERSION } from "../../shared/version.ts";
import { readControl } from "../owner/control-reader.ts";
import { FOLD_VERSION } from "../projection/fold-version.ts";
import { recordJsonOf } from "../publish/view-record.ts";
import { listGenerations } from "../rebuild/generations.ts";
import type { Store } from "../store/store.ts";
import { deadLetterRoutes } from "./dead-letter-routes.ts";
import { findingRoutes } from "./finding-routes.ts";
import { leadRoutes } from "./lead-routes.ts";
import type { Monitor } from "./monitor.ts";
import { relayRoutes } from "./relay-routes.ts";
import { requestRoutes } from "./request-routes.ts";
import { shardRoutes } from "./shard-routes.ts";

interface OpsParts {
  readonly monitor: Monitor;
  readonly config: Config;
  readonly key: string;
}

/** What the page's routes work with. */
export interface RouteParts {
  readonly monitor: Monitor;
  readonly config: Config;
  /** The store of the serving generation. @throws ProblemError 503 between two generations, and on a standby */
  readonly store: () => Store;
}

/** What the operator's page asks for, below /ops/api; each needs the page's key in `x-ops-key`. */
export function opsRoutes(server: FastifyInstance, { monitor, config, key }: OpsParts): void {
  const { databaseDir } = config;
  const expected = hashKey(key);
  const countWrongKey = createWrongKeyCount();
  const startedAt = wallClock() - Math.round(process.uptime() * 1_000);
  server.addHook("onRequest", async ({ headers, ip }) => {
    const given = headers["x-ops-key"];
    if (typeof given === "string" && timingSafeEqual(hashKey(given), expected)) return;
    throw await wrongKeyProblem(countWrongKey, ip, "Send the page's key in the x-ops-key header.");
  });

  const store = (): Store => {
    const current = monitor.store();
    if (current) return current;
    throw new ProblemError(503, `Nothing is served from here just now: ${monitor.reason() ?? "try again"}.`);
  };

  // For replicas, of views that are larger than their topic takes.
  server.get<{ Params: { readonly id: string } }>("/ops/api/rows/:id", ({ params }) => {
    const change = store().views.change(params.id);
    if (change === undefined) throw new ProblemError(404, "No such lead.");
    return recordJsonOf(change);
  });

  server.get("/ops/api/status", () => ({
    reason: monitor.reason() ?? null,
    ready: monitor.reason() === undefined,
    role: config.role,
    standing: monitor.standing(),
    version: VERSION,
    foldRules: FOLD_VERSION,
    otherRules: monitor.otherRules() ?? null,
    startedAt,
    now: wallClock(),
    pid: process.pid,
    generation: monitor.generation(),
    partitions: monitor.partitions(),
    samples: monitor.samples(),
    deadLetters: monitor.deadLetters(),
    events: monitor.events(),
    outboxes: monitor.outboxes(),
    webhooksPaused: monitor.webhooksPaused(),
    sizes: monitor.sizes(),
    ...readControl(databaseDir),
  }));

  server.get("/ops/api/generations", () => listGenerations(databaseDir));

  const parts = { monitor, config, store };
  deadLetterRoutes(server, parts);
  relayRoutes(server, parts);
  leadRoutes(server, parts);
  requestRoutes(server, parts);
  findingRoutes(server, parts);
  shardRoutes(server, { monitor, config, key });
}
