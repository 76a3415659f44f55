import { readConfig } from "../../shared/config.ts";
import { createLog } from "../../shared/log.ts";
import { openReader } from "../../shared/sqlite.ts";
import { type Port, serveThread, type ThreadWork } from "../../shared/thread.ts";
import { createDecoder } from "../decode/decode.ts";
import { recordsIn } from "../source/record-frames.ts";
import { recordPositionName, type SourceRecord } from "../source/source.ts";
import { createActionLogs } from "../store/action-logs.ts";
import { createErased } from "../store/erased.ts";
import { createLeads } from "../store/leads.ts";
import { openTracing } from "../trace/open-tracing.ts";
import type { FoldedBatch, Folding } from "./folded-batch.ts";
import { createFolding } from "./folding.ts";
import { createLeadReader } from "./lead-reader.ts";
import { createBatchPacker } from "./packed-batch.ts";
import { type Persistent, persistently } from "./persistently.ts";

// A folding half that is spoken to by messages, on a thread of its own or in the thread of the writer. Between threads
// records and batches go as bytes that are handed over; within one they go as they are.

/** What a folding half is told, in order. */
export type ToFolding =
  | {
      readonly type: "fold";
      /** In order per partition, none that was folded before; frames where it is another thread. */
      readonly records: readonly SourceRecord[] | ArrayBuffer;
      /** True where all that was folded since the last time is to be finished and handed over. */
      readonly take: boolean;
    }
  /** The oldest batch that was handed over is committed now. */
  | { readonly type: "settled" }
  /** These leads were changed beside the fold; nothing is pending, and all is settled. */
  | { readonly type: "forget"; readonly leadIds: readonly string[] }
  | { readonly type: "end" };

export type FromFolding =
  /** It has begun: what it is told is folded at once. */
  | { readonly type: "ready" }
  /** A message of records was folded, of which no batch was to be taken. */
  | { readonly type: "folded" }
  | {
      readonly type: "batch";
      readonly batch: FoldedBatch | ArrayBuffer;
      /** Which records it was made of. */
      readonly span: string;
    }
  /** Why the database can't be read; undefined where it can be again. */
  | { readonly type: "trouble"; readonly reason: string | undefined };

export interface FoldTask {
  /** The view database, which is only read here. */
  readonly file: string;
  /** Bytes of leads that are kept in memory. */
  readonly mostBytes: number;
  readonly workspacePartitions: number | undefined;
}

/** Folds what it is given beside the writer, reading the database by a connection of its own. */
export const FOLD_THREAD: ThreadWork<FoldTask, ToFolding, FromFolding> = {
  name: "fold",
  module: import.meta.url,
  async run({ file, mostBytes, workspacePartitions }, port, signal) {
    const config = readConfig(process.env);
    const log = createLog("projector", config.logLevel);
    const tracing = await openTracing(config);
    const persistent = { log, signal, onTrouble: troubleTo(port) };
    const opened = await persistently(
      () => openReader(file),
      persistent,
      undefined,
      () => file,
    );
    if (!opened) return;
    const db = opened.result;
    try {
      const stored = { leads: createLeads(db), actionLogs: createActionLogs(db), erased: createErased(db) };
      const decode = createDecoder({ ...config, workspacePartitions });
      const options = { positions: [], tracing, mostBytes };
      const folding = createFolding(createLeadReader(stored), decode, options);
      await foldMessages(folding, port, persistent, true);
    } finally {
      db.close();
      await tracing.stop();
    }
  },
};

/** Bytes that a packed batch has room for at first: enough for a few events. */
const PACKED_BYTES = 256 * 1024;

const troubleTo =
  (port: Port<ToFolding, FromFolding>) =>
  (reason: string | undefined): void =>
    port.post({ type: "trouble", reason });

/**
 * Folds what the messages say until one of them says that it ends, or the signal aborts.
 * @param packs true where batches are handed over as bytes
 * @throws ProjectionError where it can't go on
 */
export async function foldMessages(
  folding: Folding,
  port: Port<ToFolding, FromFolding>,
  { log, signal }: Pick<Persistent, "log" | "signal">,
  packs: boolean,
): Promise<void> {
  const persistent: Persistent = { log, signal, onTrouble: troubleTo(port) };
  const next = messagesOf(port, signal);
  port.post({ type: "ready" });
  for (let message = await next(); message && message.type !== "end"; message = await next()) {
    if (message.type === "settled") folding.settled();
    else if (message.type === "forget") folding.forget(message.leadIds);
    else {
      await foldAll(folding, recordsOf(message.records), persistent);
      if (message.take) await handOver();
      else port.post({ type: "folded" });
    }
  }

  async function handOver(): Promise<void> {
    const span = folding.span();
    const taken = await persistently(folding.take, persistent, undefined, () => span);
    if (!taken) return;
    if (!packs) {
      port.post({ type: "batch", batch: taken.result, span });
      return;
    }
    const packer = createBatchPacker(new ArrayBuffer(PACKED_BYTES));
    packer.add(taken.result);
    const batch = packer.finish();
    port.post({ type: "batch", batch, span }, [batch]);
  }
}

async function foldAll(
  folding: Folding,
  records: readonly SourceRecord[],
  persistent: Persistent,
): Promise<void> {
  let folded = 0;
  const foldRest = () => {
    for (; folded < records.length; folded++) folding.fold(records[folded] as SourceRecord);
  };
  const place = () => (records[folded] ? recordPositionName(records[folded] as SourceRecord) : "");
  await persistently(foldRest, persistent, undefined, place);
}

const recordsOf = (records: readonly SourceRecord[] | ArrayBuffer): readonly SourceRecord[] =>
  records instanceof ArrayBuffer ? recordsIn(Buffer.from(records)) : records;

/** Gives one message after the other; undefined once the signal aborts. */
function messagesOf(port: Port<ToFolding, FromFolding>, signal: AbortSignal) {
  const waiting: ToFolding[] = [];
  let wake: () => void = () => undefined;
  port.onMessage((message) => {
    waiting.push(message);
    wake();
  });
  signal.addEventListener("abort", () => wake(), { once: true });
  return async (): Promise<ToFolding | undefined> => {
    while (waiting.length === 0 && !signal.aborted)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    return signal.aborted ? undefined : waiting.shift();
  };
}

serveThread(FOLD_THREAD);
