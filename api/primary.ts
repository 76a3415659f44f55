import cluster, { type Worker } from "node:cluster";
import { after } from "../shared/clock.ts";

// What the workers can't know by themselves, they ask the primary.

/** What a worker asks: the metrics of all workers, uses of a quota that all workers share, or a place for a stream. */
export type Question =
  | { readonly kind: "metrics" }
  | { readonly kind: "quota"; readonly quota: string; readonly name: string; readonly wanted: number }
  | { readonly kind: "stream"; readonly name: string; readonly by: 1 | -1 };

interface Message {
  readonly type: "lead-view";
  readonly id: number;
  readonly question?: Question;
  readonly answer?: unknown;
}

const LONGEST_MS = 5_000;

const isOurs = (message: unknown): message is Message => (message as Message | null)?.type === "lead-view";

/** In the primary: answers each worker that asks. */
export function answerWorkers(answerOf: (question: Question, worker: Worker) => unknown): void {
  cluster.on("message", (worker: Worker, message: unknown) => {
    if (!isOurs(message) || message.question === undefined) return;
    const { id, question } = message;
    // A question that can't be answered runs into its time limit; so does one of a worker that died meanwhile.
    const answering = async () => {
      const answer = await answerOf(question, worker);
      if (worker.isConnected()) worker.send({ type: "lead-view", id, answer } satisfies Message);
    };
    answering().catch(() => undefined);
  });
}

/** Makes the function by which this worker asks the primary; undefined in a process that is alone. */
export function createAsker(): (<T>(question: Question) => Promise<T>) | undefined {
  const { worker } = cluster;
  if (!worker) return undefined;
  const waiting = new Map<number, (answer: unknown) => void>();
  let asked = 0;
  process.on("message", (message: unknown) => {
    if (isOurs(message)) waiting.get(message.id)?.(message.answer);
  });
  return async <T>(question: Question) => {
    const id = ++asked;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    waiting.set(id, resolve);
    const timer = after(LONGEST_MS, () => reject(new Error("the primary process did not answer in time")));
    try {
      worker.send({ type: "lead-view", id, question } satisfies Message);
      return (await promise) as T;
    } finally {
      timer.stop();
      waiting.delete(id);
    }
  };
}
