import cluster from "node:cluster";
import { AggregatorRegistry, type Registry } from "prom-client";

// A scrape reaches any one worker; it is to tell of all of them.

interface Message {
  readonly type: "lead-view:metrics";
  readonly id: number;
  /** Absent in a question. */
  readonly text?: string;
}

const TYPE = "lead-view:metrics";
const LONGEST_MS = 5_000;

const isOurs = (message: unknown): message is Message => (message as Message | null)?.type === TYPE;

/** In the primary: answers each worker that asks with the metrics of all. */
export function answerMetricsOfAll(): void {
  const aggregator = new AggregatorRegistry();
  cluster.on("message", (worker, message: unknown) => {
    if (!isOurs(message)) return;
    aggregator.clusterMetrics().then(
      (text) => worker.send({ type: TYPE, id: message.id, text } satisfies Message),
      // A worker that died meanwhile: the one that asked runs into its time limit and says so.
      () => undefined,
    );
  });
}

/** Makes the function that tells the metrics of all workers, in Prometheus' text format; of this process where it is alone. */
export function metricsOfAll(registry: Registry): () => Promise<string> {
  const { worker } = cluster;
  if (!worker) return () => registry.metrics();
  // Answers the primary when it collects.
  new AggregatorRegistry();
  AggregatorRegistry.setRegistries([registry]);
  const waiting = new Map<number, (text: string) => void>();
  let asked = 0;
  process.on("message", (message: unknown) => {
    if (isOurs(message) && message.text !== undefined) waiting.get(message.id)?.(message.text);
  });
  return async () => {
    const id = ++asked;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    waiting.set(id, resolve);
    const timer = setTimeout(reject, LONGEST_MS, new Error("the workers' metrics did not come in time"));
    try {
      worker.send({ type: TYPE, id } satisfies Message);
      return await promise;
    } finally {
      clearTimeout(timer);
      waiting.delete(id);
    }
  };
}
