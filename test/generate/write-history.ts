import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { partitionOfWorkspace } from "../../shared/shard.ts";
import { generateHistory, type HistoryOptions } from "./history.ts";
import { partitionOf } from "./partition.ts";

export interface WrittenHistory {
  readonly records: number;
  readonly bytes: number;
  readonly files: readonly string[];
}

/** Characters that a file's lines wait in memory for. */
const BUFFERED = 1 << 20;

/** Writes a generated history as the file log's topics and partitions. */
export function writeHistory(
  folder: string,
  options: HistoryOptions & {
    readonly partitions: number;
    /** What decides a record's partition; absent = its lead. */
    readonly by?: "lead" | "workspace";
  },
): WrittenHistory {
  const files = new Map<
    string,
    { readonly file: number; readonly path: string; next: number; waiting: string }
  >();
  let records = 0;
  let bytes = 0;
  const flush = (file: { readonly file: number; waiting: string }) => {
    bytes += writeSync(file.file, file.waiting);
    file.waiting = "";
  };
  for (const { topic, leadId, workspaceId, timestamp, value } of generateHistory(options)) {
    const partition =
      options.by === "workspace"
        ? partitionOfWorkspace(workspaceId, options.partitions)
        : partitionOf(leadId, options.partitions);
    const path = join(folder, topic, `${partition}.ndjson`);
    let file = files.get(path);
    if (!file) {
      mkdirSync(dirname(path), { recursive: true });
      file = { file: openSync(path, "w"), path, next: 0, waiting: "" };
      files.set(path, file);
    }
    file.waiting += `{"offset":${file.next++},"key":"${leadId}","timestamp":${timestamp},"headers":{},"value":${value}}\n`;
    if (file.waiting.length > BUFFERED) flush(file);
    records++;
  }
  for (const file of files.values()) {
    flush(file);
    closeSync(file.file);
  }
  return { records, bytes, files: [...files.keys()] };
}
