import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { lineOfRecord } from "../source/file-log/file-record.ts";
import { type Position, partitionName, type Source, type SourceRecord } from "../source/source.ts";
import { readHistory } from "./history.ts";

/** Characters that a file's lines wait in memory for. */
const BUFFERED = 1 << 20;

/**
 * Writes the log up to the given positions as a folder of the file log's format: every record byte for byte.
 * @param onRecord told how many records were written
 * @returns how many records the archive has
 * @throws Error where the folder is not empty, SourceError where the log lost records
 */
export async function archive(
  source: Source,
  upTo: readonly Position[],
  folder: string,
  onRecord: (records: number) => void,
): Promise<number> {
  mkdirSync(folder, { recursive: true });
  if (readdirSync(folder).length > 0) throw new Error(`${folder} is not empty; choose another folder`);
  const files = new Map<string, { readonly file: number; waiting: string }>();
  let records = 0;
  const flush = (file: { readonly file: number; waiting: string }) => {
    writeSync(file.file, file.waiting);
    file.waiting = "";
  };
  const write = (record: SourceRecord) => {
    const name = partitionName(record);
    let file = files.get(name);
    if (!file) {
      const path = join(folder, record.topic, `${record.partition}.ndjson`);
      mkdirSync(dirname(path), { recursive: true });
      file = { file: openSync(path, "wx"), waiting: "" };
      files.set(name, file);
    }
    file.waiting += `${lineOfRecord(record)}\n`;
    if (file.waiting.length > BUFFERED) flush(file);
    onRecord(++records);
  };
  try {
    await readHistory(source, upTo, write);
  } finally {
    for (const file of files.values()) {
      flush(file);
      fsyncSync(file.file);
      closeSync(file.file);
    }
  }
  return records;
}
