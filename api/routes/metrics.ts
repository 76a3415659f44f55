import type { FastifyInstance } from "fastify";
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { ChangeFeed } from "../change-feed.ts";
import type { Views } from "../views.ts";

/** GET /metrics: this process, and the state of the database that it reads, for Prometheus. */
export function metricsRoute(
  server: FastifyInstance,
  views: Views,
  feed: ChangeFeed,
  fastLane: { readonly answered: () => number },
): void {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: "lead_view_http_requests_total",
    help: "Answers by status; plain reads that were answered before the routing are among 2xx and 3xx",
    labelNames: ["status"],
    registers: [registry],
  });
  server.addHook("onResponse", (_request, reply, done) => {
    requests.inc({ status: `${Math.floor(reply.statusCode / 100)}xx` });
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
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(value());
      },
    });
  gauge("lead_view_subscribers", "Readers of Server-Sent Events", feed.size);
  gauge("lead_view_generation", "The generation that serves", () => views.state().generation);
  gauge("lead_view_dead_letters", "Records that could not be folded", () => views.state().deadLetters);
  gauge("lead_view_outbox_last_seq", "The number of the latest change of any view", views.lastChange);
  gauge("lead_view_database_bytes", "Size of the serving database", () => views.state().databaseBytes);
  const offsets = new Gauge({
    name: "lead_view_position_offset",
    help: "The offset of the next record to fold; a broker's end offset minus this is the lag",
    labelNames: ["topic", "partition"],
    registers: [registry],
    collect() {
      for (const { topic, partition, nextOffset } of views.state().positions) {
        offsets.set({ topic, partition: String(partition) }, nextOffset);
      }
    },
  });
  server.get("/metrics", async (_request, reply) => {
    reply.type(registry.contentType);
    return registry.metrics();
  });
}
