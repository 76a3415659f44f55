import { existsSync } from "node:fs";
import { join } from "node:path";
import { delay, nextTurn } from "../../../shared/clock.ts";
import type { Logger } from "../../../shared/log.ts";
import { isPartitionOf, ONLY_SHARD, type Shard } from "../../../shared/shard.ts";
import {
  type Batch,
  type Position,
  type Sink,
  type Source,
  SourceError,
  type SourceRecord,
} from "../source.ts";
import { createFolderLook, type FolderLook } from "./folder.ts";
import { openPartitionFile, type PartitionFile } from "./partition-file.ts";

/** Bytes that one batch takes from all files together. */
const BATCH_BYTES = 1024 ** 2;
const LEAST_SHARE = 64 * 1024;
/** Milliseconds between two looks at the files where nothing is new. */
const POLL_MS = 25;

interface FileLogOptions {
  /** Told, once each, of files that look like the log's and are not taken. */
  readonly log?: Pick<Logger, "warn">;
  /** What partitions are read; absent = all. */
  readonly shard?: Shard;
}

/**
 * The embedded event log: a folder of `<topic>/<partition>.ndjson` files, followed as lines are appended and files
 * appear.
 * @throws SourceError where a file that was read is gone, shorter or another one
 */
export function createFileLog(folder: string, { log, shard = ONLY_SHARD }: FileLogOptions = {}): Source {
  const lookAtAll = createFolderLook(folder, ({ path, reason }) => log?.warn({ path }, reason));
  const look: FolderLook = () => lookAtAll().filter(({ partition }) => isPartitionOf(shard, partition));
  let files: ReadonlyMap<string, PartitionFile> = new Map();
  let isRead = false;
  return {
    ends: () => [...files.values()].map((file) => file.end()),
    owns: () => true,
    trouble: () => (isRead ? undefined : "the event log is not read yet"),
    run: (sink, signal) => readAll(sink, signal, true),
    readToEnd: (sink, signal) => readAll(sink, signal, false),
  };

  async function readAll(sink: Sink, signal: AbortSignal, follow: boolean): Promise<void> {
    const open = new Map<string, PartitionFile>();
    files = open;
    const positions = sink.positions();
    requireFiles(folder, positions);
    try {
      for (let more = false; !signal.aborted; ) {
        const begun = openNewFiles(look, positions, open);
        // A partition that is there is begun, be it empty: so that one that comes later is seen to be new.
        if (begun.length > 0) {
          await sink.handle({ records: [], positions: begun, more: true });
          more = true;
        }
        isRead = true;
        // A batch that promised more is always followed by one, be it empty: what it left uncommitted waits for it.
        const batch: Batch | undefined = readBatch(open) ?? (more ? NOTHING_MORE : undefined);
        more = batch?.more ?? false;
        if (batch !== undefined) await sink.handle(batch);
        else if (!follow) return;
        await (batch !== undefined ? nextTurn() : delay(POLL_MS, signal));
      }
    } finally {
      files = new Map();
      for (const file of open.values()) file.close();
    }
  }
}

const NOTHING_MORE: Batch = { records: [], positions: [], more: false };

/** A share of every file, by how much is left of it: so that a lead's events come together across the topics. */
function readBatch(files: ReadonlyMap<string, PartitionFile>): Batch | undefined {
  const remaining = [...files.values()].map((file) => ({ file, bytes: file.remaining() }));
  const total = remaining.reduce((sum, { bytes }) => sum + bytes, 0);
  const records: SourceRecord[] = [];
  const positions: Position[] = [];
  for (const { file, bytes } of remaining) {
    if (bytes === 0) continue;
    const read = file.read(Math.max(LEAST_SHARE, Math.ceil((BATCH_BYTES * bytes) / total)));
    if (read === undefined) continue;
    for (const record of read.records) records.push(record);
    positions.push(read.position);
  }
  if (positions.length === 0) return undefined;
  return { records, positions, more: total > BATCH_BYTES };
}

/** A stored position whose file is gone would be a silent loss. */
function requireFiles(folder: string, positions: readonly Position[]): void {
  for (const { topic, partition, nextOffset } of positions) {
    if (nextOffset === 0) continue;
    const path = join(folder, topic, `${partition}.ndjson`);
    if (!existsSync(path)) {
      throw new SourceError(
        `${path}: the file is gone, but was folded up to offset ${nextOffset}; restore it, use another DATABASE_DIR, ` +
          "or make the views of what the log holds now (npx lead-view rebuild --accept-loss)",
      );
    }
  }
}

function openNewFiles(
  look: FolderLook,
  positions: readonly Position[],
  files: Map<string, PartitionFile>,
): Position[] {
  const begun: Position[] = [];
  for (const { path, topic, partition } of look()) {
    if (files.has(path)) continue;
    const stored = positions.find((position) => position.topic === topic && position.partition === partition);
    files.set(path, openPartitionFile({ path, topic, partition }, stored));
    if (!stored) begun.push({ topic, partition, nextOffset: 0, last: null, cursor: null });
  }
  return begun;
}
