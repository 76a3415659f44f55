import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import helmet from "@fastify/helmet";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";
import type { Registry } from "prom-client";
import type { Config } from "../../shared/config.ts";
import { ProblemError } from "../../shared/http/problem.ts";
import { createHttpServer } from "../../shared/http/server.ts";
import type { Logger } from "../../shared/log.ts";
import type { Monitor } from "./monitor.ts";
import { opsRoutes } from "./ops-routes.ts";

interface OpsServerParts {
  readonly monitor: Monitor;
  readonly registry: Registry;
  readonly config: Config;
  /** Undefined = no page. */
  readonly key: string | undefined;
  readonly log: Logger;
}

const PAGE = fileURLToPath(new URL("page/", import.meta.url));
const CHART = "chart.umd.min.js";
/** The page's own files and nothing else, so that no text of the data can become anything but text. */
const POLICY = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'"],
    connectSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
    requireTrustedTypesFor: ["'script'"],
  },
};
const CHART_FOLDER = dirname(createRequire(import.meta.url).resolve("chart.js"));

/** What the projector tells of itself: /metrics, /health/live, /health/ready, and the operator's page at /ops. */
export async function createOpsServer(parts: OpsServerParts): Promise<FastifyInstance> {
  const { monitor, registry, config, key, log } = parts;
  const server = createHttpServer({ log, timeouts: config.httpTimeouts });
  server.get("/metrics", async (_request, reply) => {
    reply.type(registry.contentType);
    return registry.metrics();
  });
  server.get("/health/live", () => ({ status: "live" }));
  server.get("/health/ready", () => {
    const reason = monitor.reason();
    if (reason !== undefined) throw new ProblemError(503, `Not ready: ${reason}.`);
    return { status: "ready" };
  });
  if (key !== undefined) {
    await server.register(async (pages) => {
      await pages.register(helmet, { contentSecurityPolicy: POLICY });
      await pages.register(fastifyStatic, { root: PAGE, prefix: "/ops/" });
      pages.get("/ops", (_request, reply) => reply.redirect("/ops/", 308));
      pages.get(`/ops/${CHART}`, (_request, reply) => reply.sendFile(CHART, CHART_FOLDER));
    });
    server.register(async (guarded) => opsRoutes(guarded, { monitor, config, key }));
  }
  return server;
}
