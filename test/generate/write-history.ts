import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
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
  options: HistoryOptions & { readonly partitions: number },
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
  for (const { topic, leadId, timestamp, value } of generateHistory(options)) {
    const path = join(folder, topic, `${partitionOf(leadId, options.partitions)}.ndjson`);
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
