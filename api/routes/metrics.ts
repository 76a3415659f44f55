import type { FastifyInstance } from "fastify";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { metricsOfAll } from "../cluster-metrics.ts";
import type { ChangeFeed } from "../feed/change-feed.ts";
import type { createAsker } from "../primary.ts";

const DURATIONS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** What the API tells of itself. */
export interface ApiMetrics {
  readonly registry: Registry;
  /** Counts an answer. */
  answered(route: string, status: number, seconds: number): void;
}

export function createApiMetrics(): ApiMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Histogram({
    name: "lead_view_http_request_duration_seconds",
    help: "Answers by route and status; a route of none is a request that reached no route",
    labelNames: ["route", "status"],
    buckets: DURATIONS,
    registers: [registry],
  });
  const errors = new Counter({
    name: "lead_view_http_errors_total",
    help: "Answers of 500 and above by status, without those of /health/ready",
    labelNames: ["status"],
    registers: [registry],
  });
  // From the start on, so that the first one is an increase.
  for (const status of [500, 503, 504]) errors.inc({ status }, 0);
  return {
    registry,
    answered(route, status, seconds) {
      requests.observe({ route, status }, seconds);
      if (status >= 500 && route !== "/health/ready") errors.inc({ status });
    },
  };
}

/** GET /metrics: all workers of the API, for Prometheus; the projector tells of the views themselves. */
export function metricsRoute(
  server: FastifyInstance,
  { registry }: ApiMetrics,
  feed: ChangeFeed,
  ask: ReturnType<typeof createAsker>,
): void {
  new Gauge({
    name: "lead_view_subscribers",
    help: "Readers of Server-Sent Events",
    registers: [registry],
    collect() {
      this.set(feed.size());
    },
  });
  new Gauge({
    name: "lead_view_subscribers_catching_up",
    help: "Readers of Server-Sent Events that are told what they have not seen yet",
    registers: [registry],
    collect() {
      this.set(feed.catchingUp());
    },
  });
  new Gauge({
    name: "lead_view_subscribers_waiting_bytes",
    help: "Bytes that wait for readers of Server-Sent Events",
    registers: [registry],
    collect() {
      this.set(feed.waitingBytes());
    },
  });
  const metrics = metricsOfAll(registry, ask);
  server.get("/metrics", async (_request, reply) => {
    reply.type(registry.contentType);
    return metrics();
  });
}
