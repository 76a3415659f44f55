import { delay } from "../../shared/clock.ts";
import type { Config } from "../../shared/config.ts";
import { openControl } from "../../shared/control.ts";
import { generationFile, servingGeneration } from "../../shared/generation.ts";
import type { Logger } from "../../shared/log.ts";
import type { Monitor } from "../ops/monitor.ts";
import { startHeartbeat } from "../owner/heartbeat.ts";
import { CONTROL_WAIT_MS } from "../owner/owner.ts";
import { createRequests } from "../owner/requests.ts";
import { createGate, type Gate } from "../projection/gate.ts";
import { type Checkpointer, startCheckpointer } from "../store/checkpointer.ts";
import { SchemaError } from "../store/migrate.ts";
import { createScrubber } from "../store/scrub.ts";
import { openStore, type Store } from "../store/store.ts";
import { isPassing } from "../store/trouble.ts";
import { fetchLargeViews } from "./fetch-large.ts";
import { createFloors } from "./floors.ts";
import { followTopics } from "./followed-topics.ts";
import { createReplicaSink, lastReading, readAnew } from "./replica-sink.ts";

const LOOK_MS = 50;
/** Milliseconds between two looks whether the file is to be rewritten after erases. */
const SCRUB_MS = 1_000;

export interface ReplicaParts {
  readonly config: Config;
  readonly log: Logger;
  readonly monitor: Monitor;
}

/**
 * Owns the folder until the signal aborts, and follows the topic of views into its rows. It folds nothing: the API on this
 * folder answers what the projector's own host answers.
 * @throws Error where it can't go on; the message says what to do
 */
export async function runReplica({ config, log, monitor }: ReplicaParts, signal: AbortSignal): Promise<void> {
  const { databaseDir } = config;
  const generation = servingGeneration(databaseDir);
  const file = generationFile(databaseDir, generation);
  const store = openReplicaStore(file);
  const checkpointer = startCheckpointer(file);
  const gate = createGate();
  const floors = createFloors(store);
  const source = followTopics({
    config,
    log,
    floors,
    lastReading: () => lastReading(store),
    readAnew: () => readAnew(store, floors),
  });
  const ended = new AbortController();
  const untilEnd = AbortSignal.any([signal, ended.signal]);
  monitor.is("owner", "the views are being opened");
  const stopHeart = startHeartbeat(databaseDir, monitor);
  try {
    monitor.observe({
      store,
      source,
      endpoints: { all: () => [], fact: () => undefined },
      generation,
      behindMs: floors.behindMs,
    });
    log.info({ topic: config.kafka?.leadViewTopic, file }, "replica started");
    const sink = createReplicaSink({
      store,
      floors,
      fetchesLarge: config.projectorUrl !== undefined && config.ops.key !== undefined,
      gate,
      log,
      signal,
      onBatch: monitor.batch,
      onTrouble: monitor.trouble,
      // What was erased is to be in no file, the write-ahead log among them.
      onErased: checkpointer.truncate,
    });
    const work = [
      source.run(sink, untilEnd),
      scrubNowAndThen({ store, gate, checkpointer, log }, untilEnd),
      refuseRequests(databaseDir, untilEnd),
    ];
    work.push(fetchLargeViews({ config, store, floors, gate, log, signal: untilEnd }));
    await Promise.race(work.map((one) => one.then(() => (untilEnd.aborted ? undefined : forever))));
    ended.abort();
    await Promise.all(work);
  } finally {
    ended.abort();
    monitor.observe(undefined);
    await gate.during(() => undefined);
    await checkpointer.stop();
    store.close();
    stopHeart();
  }
}

/** One of them may have nothing to do. */
const forever = new Promise<never>(() => undefined);

/** @throws Error where the file is a projector's, or of another schema */
function openReplicaStore(file: string): Store {
  let store: Store;
  try {
    store = openStore(file);
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    throw new Error(
      `${error.message} A replica has nothing of its own: remove the files lead_view.* in DATABASE_DIR, and it reads ` +
        "the topic of views again",
    );
  }
  if (store.meta.get("replica") === undefined && store.positions.all().length > 0) {
    store.close();
    throw new Error(
      `${file} was folded by a projector: a replica needs a DATABASE_DIR of its own (or set ROLE=projector)`,
    );
  }
  store.meta.set("replica", "1");
  store.meta.remove("superseded");
  return store;
}

interface Scrubbing {
  readonly store: Store;
  readonly gate: Gate;
  readonly checkpointer: Checkpointer;
  readonly log: Logger;
}

/** Rewrites the file where leads were erased from it (rule: erase everywhere). */
async function scrubNowAndThen(
  { store, gate, checkpointer, log }: Scrubbing,
  signal: AbortSignal,
): Promise<void> {
  const scrub = createScrubber({ store, checkpointer, between: gate.during });
  while (!signal.aborted) {
    await delay(SCRUB_MS, signal);
    if (signal.aborted) return;
    try {
      await scrub();
    } catch (error) {
      // What can't be rewritten now (a full disk, a busy file) stays marked, and is tried again.
      log.warn({ error: (error as Error).message }, "erased leads' pages not rewritten yet");
    }
  }
}

/** What is asked of a folder's owner is the projector's to do. */
async function refuseRequests(databaseDir: string, signal: AbortSignal): Promise<void> {
  const control = openControl(databaseDir, { waitMs: CONTROL_WAIT_MS });
  const requests = createRequests(control);
  try {
    while (!signal.aborted) {
      try {
        const request = requests.next();
        if (request && requests.begin(request.id))
          requests.failed(request.id, "a replica folds nothing: ask on the projector's host");
      } catch (error) {
        if (!isPassing(error)) throw error;
      }
      await delay(LOOK_MS, signal);
    }
  } finally {
    control.close();
  }
}
