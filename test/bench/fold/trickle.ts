import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { createDecoder } from "../../../projector/decode/decode.ts";
import { createProjection } from "../../../projector/projection/projection.ts";
import type { SourceRecord } from "../../../projector/source/source.ts";
import { startCheckpointer } from "../../../projector/store/checkpointer.ts";
import { openStore } from "../../../projector/store/store.ts";
import { generateHistory } from "../../generate/history.ts";

/** Events that are there before: the leads of the trickle are of every age. */
const BEFORE = 60_000;
const SECONDS = 12;
const EVENTS_A_SECOND = 400;
const EVENTS_A_COMMIT = 10;
const BETWEEN_MS = (1_000 * EVENTS_A_COMMIT) / EVENTS_A_SECOND;

export interface Trickled {
  readonly what: string;
  /** Microseconds of processor an event, of all threads. */
  readonly cpuUs: number;
  /** KiB of write-ahead log an event. */
  readonly walKib: number;
}

/** Folds a history at the pace of a day, a few events a commit, and measures what an event costs. */
export async function trickle(file: string): Promise<Trickled> {
  const store = openStore(file);
  const projection = createProjection(
    store,
    createDecoder({ maxEventBytes: 1_048_576, webhookWorkspaceId: undefined }),
  );
  const records = recordsOf(BEFORE + SECONDS * EVENTS_A_SECOND);
  for (const record of records.slice(0, BEFORE)) projection.fold(record);
  projection.commit();
  const checkpointer = startCheckpointer(file);
  store.db.pragma("wal_checkpoint(TRUNCATE)");
  const trickling = records.slice(BEFORE);
  const pageKib = Number(store.db.pragma("page_size", { simple: true })) / 1_024;
  let pages = 0;
  let before = pagesInLog(file);
  const started = process.cpuUsage();
  const begun = performance.now();
  for (let from = 0, commits = 0; from < trickling.length; from += EVENTS_A_COMMIT, commits++) {
    const wait = begun + commits * BETWEEN_MS - performance.now();
    if (wait > 0) await delay(wait);
    for (const record of trickling.slice(from, from + EVENTS_A_COMMIT)) projection.fold(record);
    projection.commit();
    const now = pagesInLog(file);
    // The log is begun again once all of it was moved into the database.
    pages += now >= before ? now - before : now;
    before = now;
  }
  const { user, system } = process.cpuUsage(started);
  const views = store.db
    .prepare<[], number>("SELECT avg(length(body)) FROM lead_view")
    .pluck()
    .get() as number;
  await checkpointer.stop();
  store.close();
  return {
    what: `${EVENTS_A_SECOND} events/s, ${EVENTS_A_COMMIT} a commit, views of ${(views / 1_024).toFixed(1)} KiB`,
    cpuUs: (user + system) / trickling.length,
    walKib: (pages * pageKib) / trickling.length,
  };
}

/** The pages that the write-ahead log has now: a field of its index (https://sqlite.org/walformat.html). */
const pagesInLog = (file: string): number => readFileSync(`${file}-shm`).readUInt32LE(16);

function recordsOf(count: number): SourceRecord[] {
  const next = new Map<string, number>();
  const records: SourceRecord[] = [];
  for (const { topic, leadId, timestamp, value } of generateHistory({
    leads: 1e9,
    seed: 7,
    records: count,
  })) {
    const offset = next.get(topic) ?? 0;
    next.set(topic, offset + 1);
    const bytes = value === null ? null : Buffer.from(value);
    records.push({
      topic,
      partition: 0,
      offset,
      key: Buffer.from(leadId),
      timestamp,
      headers: {},
      value: bytes,
    });
  }
  return records;
}
