import type { FastifyInstance } from "fastify";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { ChangeFeed } from "../change-feed.ts";
import { metricsOfAll } from "../cluster-metrics.ts";

const DURATIONS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** GET /metrics: all workers of the API, for Prometheus; the projector tells of the views themselves. */
export function metricsRoute(
  server: FastifyInstance,
  feed: ChangeFeed,
  fastLane: { readonly answered: () => number },
): void {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Histogram({
    name: "lead_view_http_request_duration_seconds",
    help: "Answers by route and status, but for the plain reads",
    labelNames: ["route", "status"],
    buckets: DURATIONS,
    registers: [registry],
  });
  server.addHook("onResponse", (request, reply, done) => {
    const route = request.routeOptions.url ?? "none";
    requests.observe({ route, status: reply.statusCode }, reply.elapsedTime / 1_000);
    done();
  });
  new Counter({
    name: "lead_view_plain_reads_total",
    help: "Reads that were answered before the routing",
    registers: [registry],
    collect() {
      this.reset();
      this.inc(fastLane.answered());
    },
  });
  new Gauge({
    name: "lead_view_subscribers",
    help: "Readers of Server-Sent Events",
    registers: [registry],
    collect() {
      this.set(feed.size());
    },
  });
  const metrics = metricsOfAll(registry);
  server.get("/metrics", async (_request, reply) => {
    reply.type(registry.contentType);
    return metrics();
  });
}
