import { delay } from "../../shared/clock.ts";
import type { KafkaConfig } from "../../shared/kafka-config.ts";
import type { Logger } from "../../shared/log.ts";
import { type Shard, shardName, shardOfWorkspace } from "../../shared/shard.ts";
import { createKafkaSource } from "../source/kafka/kafka-source.ts";
import { wholeTopics } from "../source/kafka/whole-topics.ts";
import { type Position, partitionName, type SourceRecord } from "../source/source.ts";
import type { Store } from "../store/store.ts";
import { readFloorRecord } from "./floor-record.ts";
import { readViewRecord, type ViewRecord } from "./view-record.ts";

const LOOK_MS = 100;

export interface RestoredParts {
  readonly config: KafkaConfig;
  readonly store: Store;
  readonly relay: string;
  readonly shard: Shard;
  /** Why not all of the log is folded yet; undefined where it is. */
  readonly reason: () => string | undefined;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const dutyOf = (relay: string): string => `${relay}/restored`;

/**
 * Looks whether the topic of views was told more than this database has given numbers for: then the database is an older
 * copy, or was folded anew. Its numbers go on above what was told, and `mendAfterRestore` has something to do, which is
 * remembered until it is done (rule: one number).
 * @throws Error where the topic can't be read
 */
export async function noticeRestore({
  config,
  store,
  relay,
  shard,
  log,
  signal,
}: RestoredParts): Promise<void> {
  const told = await lastToldNumber(config, shard, log, signal);
  if (signal.aborted || told <= store.numbers.last()) return;
  log.warn({ told, here: store.numbers.last() }, "this database knows less than the topic of views was told");
  store.transaction(() => {
    store.numbers.raise(told);
    store.relays.advance(dutyOf(relay), told);
  });
}

/**
 * Where that was noticed, once all of the log is folded: what the topic has of a later number is told again under a new
 * one, and what it has of leads that are here no more is removed from it.
 * @throws Error where the topic can't be read
 */
export async function mendAfterRestore(parts: RestoredParts): Promise<void> {
  const { config, store, relay, shard, reason, log, signal } = parts;
  if (store.relays.position(dutyOf(relay)) === 0) return;
  while (!signal.aborted && reason() !== undefined) await delay(LOOK_MS, signal);
  let mended = 0;
  await readAll(config, { name: "views", topic: config.leadViewTopic }, { log, signal }, (records) => {
    const later = records.flatMap((record) => laterThanHere(store, shard, record));
    if (later.length === 0) return;
    mended += later.length;
    store.transaction((next) => {
      for (const { leadId, workspaceId } of later) tellAgain(store, next(), leadId, workspaceId);
    });
  });
  if (signal.aborted) return;
  store.transaction(() => store.relays.remove(dutyOf(relay)));
  log.info({ views: mended }, "the topic of views is told what this database has");
}

function laterThanHere(
  { views }: Store,
  { index, count }: Shard,
  record: SourceRecord,
): ViewRecord["change"][] {
  try {
    const { change } = readViewRecord(record);
    // What another shard publishes is its own.
    if (shardOfWorkspace(change.workspaceId, count) !== index) return [];
    return (views.number(change.leadId) ?? 0) < change.number ? [change] : [];
  } catch {
    // It is of nobody's view: replicas set it aside.
    return [];
  }
}

/** Gives what is here a number above the one that was told; a lead that is not here is no more. */
function tellAgain({ views }: Store, number: number, leadId: string, workspaceId: string): void {
  if (views.renumber(leadId, number)) return;
  const none = {
    status: null,
    sectionNumbers: "[]",
    sectionEnds: "[]",
    sectionHashes: "",
    urlSlots: null,
    body: null,
  };
  views.put(leadId, { workspaceId, number, traceparent: null, ...none });
}

async function lastToldNumber(
  config: KafkaConfig,
  shard: Shard,
  log: Logger,
  signal: AbortSignal,
): Promise<number> {
  let told = 0;
  await readAll(config, { name: "floors", topic: config.floorTopic }, { log, signal }, (records) => {
    for (const record of records) {
      const floor = readFloorRecord(record);
      if (floor.shard === shardName(shard)) told = Math.max(told, floor.number);
    }
  });
  return told;
}

/** Reads a topic from its beginning to where it ends now. */
async function readAll(
  config: KafkaConfig,
  { name, topic }: { readonly name: string; readonly topic: string },
  { log, signal }: Pick<RestoredParts, "log" | "signal">,
  take: (records: readonly SourceRecord[]) => void,
): Promise<void> {
  const source = createKafkaSource(wholeTopics(config, name, { [name]: topic }), log);
  const positions = new Map<string, Position>();
  await source.readToEnd(
    {
      positions: () => [...positions.values()],
      async handle({ records, positions: reached }) {
        take(records);
        for (const position of reached) positions.set(partitionName(position), position);
      },
    },
    signal,
  );
}
