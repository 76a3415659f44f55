import { AggregatorRegistry, type Registry } from "prom-client";
import type { createAsker } from "./primary.ts";

// A scrape reaches any one worker; it is to tell of all of them.

/** In the primary: makes the function that gathers the metrics of all workers, in Prometheus' text format. */
export function createMetricsOfWorkers(): () => Promise<string> {
  const aggregator = new AggregatorRegistry();
  return () => aggregator.clusterMetrics();
}

/** Makes the function that tells the metrics of all workers; of this process where it is alone. */
export function metricsOfAll(registry: Registry, ask: ReturnType<typeof createAsker>): () => Promise<string> {
  if (ask === undefined) return () => registry.metrics();
  // Answers the primary when it collects.
  new AggregatorRegistry();
  AggregatorRegistry.setRegistries([registry]);
  return () => ask<string>({ kind: "metrics" });
}
