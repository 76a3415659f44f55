import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createDecoder } from "../../../projector/decode/decode.ts";
import { createLiveProjection } from "../../../projector/projection/live-projection.ts";
import { partitionName, type SourceRecord } from "../../../projector/source/source.ts";
import { startCheckpointer } from "../../../projector/store/checkpointer.ts";
import { openStore } from "../../../projector/store/store.ts";
import { createLog } from "../../../shared/log.ts";
import { generateHistory } from "../../generate/history.ts";
import { positionAfter } from "../../harness/projector.ts";

/** Events that are there before: the leads of the trickle are of every age. */
const BEFORE = 60_000;
const SECONDS = 12;
const EVENTS_A_SECOND = 400;
const EVENTS_A_COMMIT = 10;
const EVENTS = SECONDS * EVENTS_A_SECOND;
const BETWEEN_MS = (1_000 * EVENTS_A_COMMIT) / EVENTS_A_SECOND;

export interface Trickled {
  readonly what: string;
  /** Microseconds of processor an event, of all threads. */
  readonly cpuUs: number;
  /** KiB of write-ahead log an event. */
  readonly walKib: number;
}

const SELF = fileURLToPath(import.meta.url);

/**
 * Folds a history at the pace of a day, a few events a commit, and measures what an event costs: in a process of its own,
 * so that nothing else of this one's is counted.
 */
export function trickle(file: string): Trickled {
  const { stdout } = spawnSync(process.execPath, ["--no-warnings", SELF, file], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  return JSON.parse(stdout) as Trickled;
}

async function run(file: string, threads: number): Promise<Trickled> {
  const store = openStore(file);
  const stopping = new AbortController();
  const { signal } = stopping;
  const projection = createLiveProjection({
    store,
    decode: createDecoder({ maxEventBytes: 1_048_576, webhookWorkspaceId: undefined }),
    log: createLog("projector", "silent"),
    signal,
    threads: { count: threads, from: 0, workspacePartitions: undefined },
  });
  /** As the owner does it, but that it waits for the commit. */
  const fold = async (folded: readonly SourceRecord[]) => {
    const last = new Map(folded.map((record) => [partitionName(record), record]));
    await projection.take({ records: folded, positions: [...last.values()].map(positionAfter), more: false });
    await projection.between(() => undefined);
  };
  const records = recordsOf();
  await fold(Array.from({ length: BEFORE }, () => records.next().value as SourceRecord));
  const checkpointer = startCheckpointer(file);
  store.db.pragma("wal_checkpoint(TRUNCATE)");
  const pageKib = Number(store.db.pragma("page_size", { simple: true })) / 1_024;
  const trickling = Array.from({ length: EVENTS }, () => records.next().value as SourceRecord);
  let pages = 0;
  let before = pagesInLog(file);
  const started = process.cpuUsage();
  const begun = performance.now();
  for (let commits = 0; commits < EVENTS / EVENTS_A_COMMIT; commits++) {
    const wait = begun + commits * BETWEEN_MS - performance.now();
    if (wait > 0) await delay(wait);
    const from = commits * EVENTS_A_COMMIT;
    await fold(trickling.slice(from, from + EVENTS_A_COMMIT));
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
  stopping.abort();
  await projection.stop();
  await checkpointer.stop();
  store.close();
  return {
    what: `${EVENTS_A_SECOND} events/s, ${EVENTS_A_COMMIT} a commit, views of ${(views / 1_024).toFixed(1)} KiB`,
    cpuUs: (user + system) / EVENTS,
    walKib: (pages * pageKib) / EVENTS,
  };
}

/** The pages that the write-ahead log has now: a field of its index (https://sqlite.org/walformat.html). */
const pagesInLog = (file: string): number => readFileSync(`${file}-shm`).readUInt32LE(16);

function* recordsOf(): Generator<SourceRecord, undefined> {
  const next = new Map<string, number>();
  for (const { topic, leadId, timestamp, value } of generateHistory({ leads: 1e9, seed: 7 })) {
    const offset = next.get(topic) ?? 0;
    next.set(topic, offset + 1);
    const bytes = value === null ? null : Buffer.from(value);
    yield { topic, partition: 0, offset, key: Buffer.from(leadId), timestamp, headers: {}, value: bytes };
  }
}

// With a number behind the file it folds on so many threads, to see what the hop costs.
if (process.argv[1] === SELF)
  console.log(JSON.stringify(await run(process.argv[2] as string, Number(process.argv[3] ?? 1))));
