import { existsSync } from "node:fs";
import { join } from "node:path";
import { readConfig } from "../../shared/config.ts";
import { TOPICS } from "../../shared/events/catalogue.ts";
import { createLog } from "../../shared/log.ts";
import { type Port, serveThread, type ThreadWork } from "../../shared/thread.ts";
import { createDecoder, type Decode, decodedOf } from "../decode/decode.ts";
import type { DecodeErrorCode } from "../decode/decode-error.ts";
import type { FoldedBatch } from "../projection/folded-batch.ts";
import { createFolding } from "../projection/folding.ts";
import { NOTHING_STORED } from "../projection/held-leads.ts";
import { createBatchPacker } from "../projection/packed-batch.ts";
import { erasureOf } from "../projection/writing.ts";
import { createFileLog } from "../source/file-log/file-log.ts";
import { createFolderLook } from "../source/file-log/folder.ts";
import { withWorkspacePartitions } from "../source/kafka/workspace-partitions.ts";
import { openHistorySource } from "../source/open-source.ts";
import { leadHash } from "../source/record-frames.ts";
import type { Share } from "../source/share.ts";
import {
  type Batch,
  type Position,
  partitionName,
  recordHash,
  type Sink,
  SourceError,
  type SourceRecord,
} from "../source/source.ts";
import type { DeadLetter } from "../store/dead-letters.ts";
import { createSlices, type Slices } from "./slices.ts";

/** A worker's part of a build. */
export interface BuildShare {
  readonly share: Share;
  /** An archive's folder to begin with; undefined = the log alone. */
  readonly archive: string | undefined;
  /** Records at these positions and above are left out; undefined = all that the log holds is folded. */
  readonly limit: readonly Position[] | undefined;
  /** Where another generation stands in the log, whose last records this log has to have; empty = it may be any log. */
  readonly sameLogAs: readonly Position[];
  /** Leads that are known to be erased: nothing of them is written, not even for a moment. */
  readonly erased: readonly string[];
  /** The path of the files in which records wait for their slice's turn; a number is appended. */
  readonly path: string;
  /** Into how many slices of leads the records are cut, and about how many bytes of records each is to have. */
  readonly slices: number;
  readonly sliceBytes: number;
}

export type FromShare =
  | { readonly type: "read"; readonly records: number }
  /** Packed batches of finished leads. */
  | { readonly type: "rows"; readonly batches: ArrayBuffer; readonly records: number };

/** A message with rows was taken: its memory comes back. */
export interface ToShare {
  readonly taken: ArrayBuffer;
}

/** Messages with rows that wait to be taken; the worker folds on meanwhile. */
const MOST_WAITING = 2;
/** Bytes of rows that are handed over together. */
const MESSAGE_BYTES = 1024 ** 2;
/** Bytes of memory of a message: its last lead goes beyond. */
const MESSAGE_ROOM = 1.25 * 1024 ** 2;

/** Reads a share of the log once, puts its records aside in slices of leads, and folds each slice's leads in memory. */
export const BUILD_SHARE: ThreadWork<BuildShare, ToShare, FromShare> = {
  name: "build share",
  module: import.meta.url,
  run: buildShare,
};

async function buildShare(
  task: BuildShare,
  port: Port<ToShare, FromShare>,
  signal: AbortSignal,
): Promise<void> {
  const log = createLog("projector", "warn");
  const config = await withWorkspacePartitions(readConfig(process.env), log, { signal });
  const decode = createDecoder(config);
  const outgoing = createOutgoing(port, signal);
  const slices = createSlices({ path: task.path, count: task.slices, sliceBytes: task.sliceBytes });
  try {
    const reading = readInto(slices, task, decode, (records) => port.post({ type: "read", records }));
    if (task.archive !== undefined) {
      requireArchive(task.archive);
      await createFileLog(task.archive, { log, share: { ...task.share, shard: config.shard } }).readToEnd(
        reading.sink,
        signal,
      );
      // Others' partitions too: so that it is seen where the topic has more of them than the archive.
      await reading.sink.handle({ records: [], positions: begunIn(task.archive), more: false });
    }
    const archiveEnds = new Map(reading.positions().map((one) => [partitionName(one), one.nextOffset]));
    await openHistorySource(config, log, task.share).readToEnd(reading.sink, signal);
    let rows = createBatchPacker(await outgoing.room());
    let records = 0;
    for (const batch of foldWhole(slices.drain(), decode)) {
      for (const letter of batch.deadLetters)
        if (letter.record.offset < (archiveEnds.get(partitionName(letter.record)) ?? 0))
          requireReadable(letter);
      rows.add(batch);
      records += batch.counts.records;
      if (rows.length() < MESSAGE_BYTES) continue;
      outgoing.post(rows.finish(), records);
      rows = createBatchPacker(await outgoing.room());
      records = 0;
    }
    rows.add(reading.rest());
    outgoing.post(rows.finish(), records);
  } finally {
    slices.close();
  }
}

/** Folds whole leads, one after the other, from all of their records: what one leaves in memory is garbage while it is young. */
function* foldWhole(leads: Iterable<Iterable<SourceRecord>>, decode: Decode): Generator<FoldedBatch> {
  const folding = createFolding(NOTHING_STORED, decode, { positions: [], mostBytes: 0 });
  for (const records of leads) {
    for (const record of records) folding.fold(record);
    yield folding.take();
    folding.settled();
  }
}

/** Hands rows over, in memory that goes to and fro: new memory would be garbage, outside of the heap, a thousand times. */
function createOutgoing(port: Port<ToShare, FromShare>, signal: AbortSignal) {
  const free = Array.from({ length: MOST_WAITING + 1 }, () => new ArrayBuffer(MESSAGE_ROOM));
  let wake: () => void = () => undefined;
  port.onMessage(({ taken }) => {
    free.push(taken);
    wake();
  });
  signal.addEventListener("abort", () => wake(), { once: true });
  return {
    /** Memory for the next rows, once there is some. */
    async room(): Promise<ArrayBuffer> {
      for (;;) {
        signal.throwIfAborted();
        const room = free.pop();
        if (room) return room;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    post: (batches: ArrayBuffer, records: number): void =>
      port.post({ type: "rows", batches, records }, [batches]),
  };
}

function readInto(
  slices: Slices,
  { limit, sameLogAs, erased }: BuildShare,
  decode: Decode,
  onRead: (records: number) => void,
) {
  const limits = limit && new Map(limit.map((position) => [partitionName(position), position.nextOffset]));
  const lasts = new Map(sameLogAs.map(({ last, ...at }) => [partitionName(at), last]));
  const gone = new Map(erased.map((leadId) => [leadId, 0]));
  const current = new Map<string, Position>();

  const put = (record: SourceRecord) => {
    const { line } = record;
    if (line && gone.size === 0) {
      slices.put(record, leadHash(line.chunk, line.keyStart, line.keyEnd));
      return;
    }
    const key = line ? line.chunk.subarray(line.keyStart, line.keyEnd) : record.key;
    const leadId = key?.toString("utf8") ?? decodedOf(decode, record)?.leadId ?? "";
    const dropped = gone.get(leadId);
    if (dropped === undefined) slices.put(record, leadHash(key ?? Buffer.from(leadId)));
    else gone.set(leadId, dropped + 1);
  };

  const handle = async ({ records, positions }: Batch) => {
    for (const record of records) {
      const name = partitionName(record);
      if (record.offset < (current.get(name)?.nextOffset ?? 0)) continue;
      if (limits !== undefined && record.offset >= (limits.get(name) ?? 0)) continue;
      const last = lasts.get(name);
      if (last?.offset === record.offset) requireSameRecord(record, last.hash);
      put(record);
    }
    for (const position of positions) {
      const name = partitionName(position);
      if (position.nextOffset < (current.get(name)?.nextOffset ?? 0)) continue;
      const most = limits === undefined ? position.nextOffset : (limits.get(name) ?? 0);
      current.set(name, { ...position, nextOffset: Math.min(position.nextOffset, most) });
    }
    onRead(records.length);
  };
  const sink: Sink = { positions: () => [...current.values()], handle };
  return {
    sink,
    positions: (): readonly Position[] => [...current.values()],
    /** Where the log was read up to, and how much came for leads that are known to be erased. */
    rest(): FoldedBatch {
      const counts = [...gone].filter(([, dropped]) => dropped > 0);
      const { leads, ...nothing } = erasureOf(counts.map(([leadId]) => leadId));
      return {
        ...nothing,
        leads: leads.map((lead, index) => ({ ...lead, dropped: counts[index]?.[1] ?? 0 })),
        positions: [...current.values()],
      };
    },
  };
}

/** Views of another log would take the place of all that readers have seen. */
function requireSameRecord(record: SourceRecord, hash: string): void {
  if (recordHash(record) === hash) return;
  throw new SourceError(
    `${partitionName(record)}: the record at offset ${record.offset} is not the one that the serving views were folded ` +
      "from: this is another log. Restore it, use another DATABASE_DIR, or accept the loss " +
      "(npx lead-view rebuild --accept-loss). Nothing was switched",
  );
}

/** The beginning of each partition that an archive has. */
const begunIn = (folder: string): Position[] =>
  createFolderLook(folder, () => undefined)().map(({ topic, partition }) => ({
    topic,
    partition,
    nextOffset: 0,
    last: null,
    cursor: null,
  }));

/** A mistyped folder would be an archive of nothing. */
function requireArchive(folder: string): void {
  if (!existsSync(folder)) throw new SourceError(`${folder}: there is no such folder`);
  const hasFiles = Object.values(TOPICS).some((topic) => existsSync(join(folder, topic)));
  if (!hasFiles)
    throw new SourceError(
      `${folder}: there is no archive here; its files are <topic>/<partition>.ndjson (npx lead-view archive)`,
    );
}

/** An archive is what the views stand on: a line in it that can't be read stops the rebuild. */
function requireReadable({ record: { topic, partition, offset }, code, reason }: DeadLetter): void {
  if (code !== ("unreadable" satisfies DecodeErrorCode)) return;
  throw new SourceError(
    `the archive is corrupt: ${topic}/${partition}.ndjson near offset ${offset}: ${reason}; ` +
      "restore the file, or rebuild from another archive. Nothing was switched",
  );
}

serveThread(BUILD_SHARE);
