import cluster, { type Worker } from "node:cluster";
import type { createAsker, Question } from "./primary.ts";

// A key may have so many streams open over all workers: the primary counts, and forgets a worker's when it dies.

/** A worker's question: may this key have one more stream, or has it one less? */
export type StreamQuestion = Extract<Question, { kind: "stream" }>;

/** Lets streams be opened up to a limit. */
export interface StreamLimit {
  /**
   * Takes a place for a key's stream.
   * @returns what gives it back, to be called once; undefined where the key, or this process, has all that it may have
   */
  take(keyId: string): Promise<(() => void) | undefined>;
}

export interface StreamLimits {
  /** Streams that a key may have, over all workers. */
  readonly perKey: number;
  /** Streams that this process may have: the rest of its connections is for reads and health. Undefined = no limit. */
  readonly inProcess: number | undefined;
}

/** In the primary: makes the function that counts for all workers. */
export function createStreamCount(perKey: number): (question: StreamQuestion, worker: Worker) => boolean {
  const counts = new Map<string, Map<number, number>>();
  cluster.on("exit", ({ id }: Worker) => {
    for (const [keyId, workers] of counts) {
      workers.delete(id);
      if (workers.size === 0) counts.delete(keyId);
    }
  });
  return ({ name, by }, { id }) => {
    const workers = counts.get(name) ?? new Map<number, number>();
    const all = [...workers.values()].reduce((sum, count) => sum + count, 0);
    if (by > 0 && all >= perKey) return false;
    const count = (workers.get(id) ?? 0) + by;
    if (count > 0) workers.set(id, count);
    else workers.delete(id);
    if (workers.size > 0) counts.set(name, workers);
    else counts.delete(name);
    return true;
  };
}

/** The limit as a worker, or a process that is alone, keeps it. */
export function createStreamLimit(
  { perKey, inProcess = Number.POSITIVE_INFINITY }: StreamLimits,
  ask: ReturnType<typeof createAsker>,
): StreamLimit {
  const own = new Map<string, number>();
  let all = 0;
  const count = (keyId: string, by: number): void => {
    all += by;
    const now = (own.get(keyId) ?? 0) + by;
    if (now === 0) own.delete(keyId);
    else own.set(keyId, now);
  };
  return {
    async take(keyId) {
      if (all >= inProcess || (own.get(keyId) ?? 0) >= perKey) return undefined;
      // Counted before the primary is asked: nobody comes in between.
      count(keyId, 1);
      const allowed = ask === undefined || (await ask<boolean>({ kind: "stream", name: keyId, by: 1 }));
      if (!allowed) {
        count(keyId, -1);
        return undefined;
      }
      return () => {
        count(keyId, -1);
        // A primary that does not answer is ending, and all its counts with it.
        ask?.<boolean>({ kind: "stream", name: keyId, by: -1 }).catch(() => undefined);
      };
    },
  };
}
