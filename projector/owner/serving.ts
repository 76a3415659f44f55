import type { Config } from "../../shared/config.ts";
import { generationFile } from "../../shared/generation.ts";
import type { Logger } from "../../shared/log.ts";
import type { Decode } from "../decode/decode.ts";
import type { Monitor } from "../ops/monitor.ts";
import { otherFoldRules } from "../projection/fold-version.ts";
import { createLiveProjection } from "../projection/live-projection.ts";
import { createRepeats } from "../projection/repeats.ts";
import { runProjection } from "../projection/run.ts";
import { publishDeadLetters } from "../publish/dead-letter-topic.ts";
import { whenReleased } from "../publish/held-back.ts";
import { publishViews } from "../publish/view-topic.ts";
import { deliverWebhooks } from "../publish/webhooks/deliver.ts";
import type { Endpoints } from "../publish/webhooks/endpoints.ts";
import { keptGenerations } from "../rebuild/generations.ts";
import type { BesideFold } from "../rebuild/refold.ts";
import { openSource } from "../source/open-source.ts";
import type { RETURNS, SourceRecord } from "../source/source.ts";
import { startCheckpointer } from "../store/checkpointer.ts";
import { durably } from "../store/durably.ts";
import { renumberViews } from "../store/renumber.ts";
import { createScrubber } from "../store/scrub.ts";
import { openStore, type Store } from "../store/store.ts";
import type { Tracing } from "../trace/tracing.ts";
import { databaseName } from "./database-name.ts";
import { requireShard } from "./shard-of-database.ts";
import { whileOwning } from "./while-owning.ts";

export interface ServingParts {
  readonly config: Config;
  readonly log: Logger;
  readonly decode: Decode;
  readonly tracing: Tracing;
  readonly endpoints: Endpoints;
  readonly monitor: Monitor;
}

/** The generation that serves, with all that goes on in it. */
export interface Serving extends BesideFold {
  readonly generation: number;
  readonly store: Store;
  /** Rejects where the fold, or a relay, stopped by an error; resolves once it was told to stop. */
  readonly ended: Promise<void>;
  /** True once all is folded that the log held when this generation began to serve. */
  hasFoldedWhatWas(): boolean;
  /** Rewrites the file between two commits, where leads were erased from it; asked again, it ends what it began. */
  scrub(): Promise<void>;
  /**
   * Folds no more, and ends what it hands on; the store stays open.
   * @param why RETURNS where another generation is about to go on
   */
  stop(why?: typeof RETURNS): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a generation and keeps it up to date: folds the log into it and hands its changes on.
 * @throws SchemaError where the database is of another schema
 */
export function startServing(
  { config, log, decode, tracing, endpoints, monitor }: ServingParts,
  generation: number,
): Serving {
  const file = generationFile(config.databaseDir, generation);
  const store = openServing(file, log);
  const checkpointer = startCheckpointer(file);
  requireShard(store, config.shard);
  const stopping = new AbortController();
  const { signal } = stopping;
  const source = openSource(config, log, {
    database: databaseName(config.databaseDir),
    lastNumber: store.numbers.last,
    committed: store.positions.all,
    lowestNumber: store.views.lowestNumber,
    succeed: (number) => renumberViews(store, number, { log, signal }),
  });
  const repeats = createRepeats(source.ends);
  const taps = new Set<(record: SourceRecord) => void>();
  const { foldThreads, foldWorkersFrom, workspacePartitions } = config;
  const projection = createLiveProjection({
    store,
    decode,
    log,
    signal,
    threads: { count: foldThreads, from: foldWorkersFrom, workspacePartitions },
    tracing,
    repeats,
    keptGenerations: () => keptGenerations(config.databaseDir),
    onBatch(batch) {
      monitor.batch(batch);
      for (const tap of taps) for (const record of batch.records) tap(record);
    },
    onCommit(committed) {
      monitor.committed(committed);
      // What was erased is to be in no file, the write-ahead log among them.
      if (committed.erased.length > 0) checkpointer.truncate();
    },
    onTrouble: monitor.trouble,
  });
  const { kafka, eventLogDir, webhooksAllowPrivate: allowPrivate } = config;
  const positions = projection.positions().length;
  log.info({ eventLog: kafka?.brokers ?? eventLogDir, file, positions }, "projector started");
  monitor.observe({ store, source, endpoints, generation });
  const { databaseDir } = config;
  const publish = (signal: AbortSignal) =>
    Promise.all([
      deliverWebhooks({ store, endpoints, databaseDir, log, signal, allowPrivate, tracing }),
      ...(kafka
        ? [
            whenReleased({ store, log, signal }, () =>
              Promise.all([
                publishDeadLetters(kafka, store, log, signal),
                publishViews(kafka, store, { log, signal, tracing, reason: monitor.reason }),
              ]),
            ),
          ]
        : []),
    ]);
  const publishing = whileOwning(source, signal, publish);
  const { between } = projection;
  const ended = Promise.all([runProjection({ source, projection, signal }), publishing]).then(
    () => undefined,
  );
  ended.catch(() => undefined);
  return {
    generation,
    store,
    ended,
    // Whoever asked is told that it is done: a power cut does not take it back.
    betweenCommits: (work) => between(() => durably(store.db, () => work(store, projection.write))),
    // What is under way may be dropped yet.
    hasFoldedWhatWas: () => repeats.areOver(store.positions.all()),
    tap(onRecord) {
      taps.add(onRecord);
      return () => void taps.delete(onRecord);
    },
    scrub: createScrubber({ store, checkpointer, between }),
    async stop(why) {
      stopping.abort(why);
      await ended.catch(() => undefined);
    },
    async close() {
      monitor.observe(undefined);
      await checkpointer.stop();
      store.close();
    },
  };
}

/** @throws Error where the database can't be used, with nothing left open */
function openServing(file: string, log: Logger): Store {
  const store = openStore(file);
  try {
    warnOfRules(store, log);
    // A generation that serves again is not superseded any more.
    store.meta.remove("superseded");
    return store;
  } catch (error) {
    store.close();
    throw error;
  }
}

/** Views of older rules are served beside new ones until they are made anew (rule: fold rules have a version). */
function warnOfRules(store: Store, log: Logger): void {
  const version = otherFoldRules(store);
  if (version === undefined) return;
  log.warn(
    { madeBy: version },
    "the views were made by other fold rules than this program's; make them anew: npx lead-view rebuild",
  );
}
