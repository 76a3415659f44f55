import { delay } from "../../shared/clock.ts";
import { startThread, type Thread, type ThreadListener } from "../../shared/thread.ts";
import { framesOf } from "../source/record-frames.ts";
import type { SourceRecord } from "../source/source.ts";
import { FOLD_THREAD, type FoldTask, type FromFolding, foldMessages, type ToFolding } from "./fold-thread.ts";
import type { FoldedBatch, Folding } from "./folded-batch.ts";
import { unpackBatches } from "./packed-batch.ts";
import type { Persistent } from "./persistently.ts";

/** What is heard of a folding half, in the order of what it was told. */
export interface HalfListener {
  /** Records were folded, of which no batch was to be taken. */
  folded(half: FoldingHalf): void;
  batch(half: FoldingHalf, batch: FoldedBatch, span: string): void;
  /** Why the database can't be read; undefined where it can be again. */
  trouble(reason: string | undefined): void;
  /** It ended though nobody told it to. */
  failed(error: Error): void;
}

/** A folding half as the writer's thread sees it, wherever it is. */
export interface FoldingHalf {
  /** Resolves once it folds what it is told. */
  readonly ready: Promise<void>;
  /** @param take true where all that it folded since the last time is to be handed over as a batch */
  fold(records: readonly SourceRecord[], take: boolean): void;
  /** The oldest batch that it handed over is committed. */
  settled(): void;
  /** These leads were changed beside it. Only with nothing pending and all settled. */
  forget(leadIds: readonly string[]): void;
  /** Ends it; what is not handed over yet is dropped. */
  stop(): Promise<void>;
}

/** MiB. Leads live until they are committed, which the usual young generation takes for old. */
const YOUNG_MIB = 64;
/** Milliseconds that a thread has to end by itself, with its traces exported. */
const END_MS = 1_000;

/** A folding half in this thread. */
export function foldHere(
  folding: () => Folding,
  listener: HalfListener,
  persistent: Pick<Persistent, "log" | "signal">,
): FoldingHalf {
  const work = {
    ...FOLD_THREAD,
    run: (_: FoldTask, port: Parameters<typeof foldMessages>[1], signal: AbortSignal) =>
      foldMessages(folding(), port, { ...persistent, signal }, false),
  };
  const start = (heard: ThreadListener<FromFolding>) =>
    startThread(work, { file: "", mostBytes: 0, workspacePartitions: undefined }, heard, { here: true });
  return halfOf(start, listener, false);
}

/** A folding half on a thread of its own. */
export const foldOnThread = (task: FoldTask, listener: HalfListener): FoldingHalf =>
  halfOf((heard) => startThread(FOLD_THREAD, task, heard, { youngMiB: YOUNG_MIB }), listener, true);

function halfOf(
  start: (heard: ThreadListener<FromFolding>) => Thread<ToFolding>,
  listener: HalfListener,
  packs: boolean,
): FoldingHalf {
  const ready = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  let stopped = false;
  const thread = start({
    message(message) {
      if (stopped) return;
      if (message.type === "ready") ready.resolve();
      else if (message.type === "trouble") listener.trouble(message.reason);
      else if (message.type === "folded") listener.folded(half);
      else listener.batch(half, asBatch(message.batch), message.span);
    },
    ended(error) {
      gone.resolve();
      if (!stopped) listener.failed(error ?? new Error("it ended without being told to"));
    },
  });
  const half: FoldingHalf = {
    ready: ready.promise,
    fold(records, take) {
      if (!packs) {
        thread.post({ type: "fold", records, take });
        return;
      }
      const frames = framesOf(records);
      thread.post({ type: "fold", records: frames, take }, [frames]);
    },
    settled: () => thread.post({ type: "settled" }),
    forget: (leadIds) => thread.post({ type: "forget", leadIds }),
    async stop() {
      stopped = true;
      const ended = new AbortController();
      void gone.promise.then(() => ended.abort());
      thread.post({ type: "end" });
      await delay(END_MS, ended.signal);
      await thread.stop();
    },
  };
  return half;
}

function asBatch(batch: FoldedBatch | ArrayBuffer): FoldedBatch {
  if (!(batch instanceof ArrayBuffer)) return batch;
  const [unpacked] = unpackBatches(batch);
  return unpacked as FoldedBatch;
}
