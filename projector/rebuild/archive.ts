import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { TOPICS } from "../../shared/events/catalogue.ts";
import { lineOfRecord, recordOfLine } from "../source/file-log/file-record.ts";
import { type Position, partitionName, recordHash, type Sink, type Source } from "../source/source.ts";

/** Characters that a file's lines wait in memory for. */
const BUFFERED = 256 * 1024;
const CHUNK_BYTES = 1 << 20;

interface ArchiveFile {
  readonly file: number;
  waiting: string;
}

/**
 * Writes the log up to where it ends now as a folder of the file log's format: every record byte for byte. A folder that an
 * archive of the same log was begun in is gone on with, behind the last whole line of each file.
 * @param onRecord told how many records were written
 * @returns how many records were added
 * @throws Error where the folder is something else, SourceError where it holds another log, or the log lost records
 */
export async function archive(
  source: Source,
  folder: string,
  onRecord: (records: number) => void = () => undefined,
): Promise<number> {
  requireArchiveFolder(folder);
  const positions = new Map<string, Position>();
  const files = new Map<string, ArchiveFile>();
  let records = 0;
  const fileOf = ({ topic, partition }: Pick<Position, "topic" | "partition">): ArchiveFile => {
    const name = partitionName({ topic, partition });
    const known = files.get(name);
    if (known) return known;
    mkdirSync(join(folder, topic), { recursive: true });
    const made = { file: openSync(join(folder, topic, `${partition}.ndjson`), "a"), waiting: "" };
    files.set(name, made);
    return made;
  };
  const flush = (file: ArchiveFile) => {
    let bytes = Buffer.from(file.waiting);
    file.waiting = "";
    // A disk that becomes full takes a part, and says so at the next one.
    while (bytes.length > 0) bytes = bytes.subarray(writeSync(file.file, bytes));
  };
  for (const position of begunPositions(folder)) positions.set(partitionName(position), position);
  const sink: Sink = {
    positions: () => [...positions.values()],
    async handle(batch) {
      for (const record of batch.records) {
        if (record.offset < (positions.get(partitionName(record))?.nextOffset ?? 0)) continue;
        const file = fileOf(record);
        file.waiting += `${lineOfRecord(record)}\n`;
        if (file.waiting.length > BUFFERED) flush(file);
        onRecord(++records);
      }
      // A partition without records has a file too: so that another look knows how many partitions there were.
      for (const position of batch.positions) {
        fileOf(position);
        positions.set(partitionName(position), position);
      }
    },
  };
  try {
    await source.readToEnd(sink, new AbortController().signal);
  } finally {
    for (const file of files.values()) {
      try {
        flush(file);
        fsyncSync(file.file);
      } finally {
        closeSync(file.file);
      }
    }
  }
  return records;
}

/** @throws Error where the path is no folder, or holds what no archive does */
function requireArchiveFolder(folder: string): void {
  if (existsSync(folder) && !statSync(folder).isDirectory())
    throw new Error(`${folder} is a file; choose a folder`);
  mkdirSync(folder, { recursive: true });
  const topics = new Set<string>(Object.values(TOPICS));
  const strange = readdirSync(folder).find((name) => !topics.has(name));
  if (strange !== undefined)
    throw new Error(
      `${folder} is no archive: it has ${strange} in it; choose an empty folder, or an archive's`,
    );
}

/** Where an archive that was begun ends; what a crash left of a line is cut off. */
function begunPositions(folder: string): Position[] {
  return readdirSync(folder).flatMap((topic) =>
    readdirSync(join(folder, topic)).map((name) => {
      const [, partition] = /^(\d{1,6})\.ndjson$/.exec(name) ?? [];
      if (partition === undefined) throw new Error(`${join(folder, topic, name)} is no file of an archive`);
      return positionOfEnd(join(folder, topic, name), topic, Number(partition));
    }),
  );
}

function positionOfEnd(path: string, topic: string, partition: number): Position {
  const file = openSync(path, "r+");
  try {
    const { end, line } = lastLine(file);
    ftruncateSync(file, end);
    if (line === undefined) return { topic, partition, nextOffset: 0, last: null, cursor: null };
    const record = recordOfLine({ topic, partition, nextOffset: 0, leastOffset: 0 }, line);
    if (record.unreadable !== undefined)
      throw new Error(`${path}: its last line can't be read (${record.unreadable}); is it an archive?`);
    const last = { offset: record.offset, hash: recordHash(record) };
    return { topic, partition, nextOffset: record.offset + 1, last, cursor: null };
  } finally {
    closeSync(file);
  }
}

/** The last whole line of a file, and the byte behind it. */
function lastLine(file: number): { readonly end: number; readonly line: string | undefined } {
  let bytes = Buffer.alloc(0);
  let { size: from } = fstatSync(file);
  for (;;) {
    const newline = bytes.lastIndexOf(0x0a);
    const before = newline > 0 ? bytes.lastIndexOf(0x0a, newline - 1) : -1;
    if (before >= 0 || from === 0) {
      if (newline < 0) return { end: 0, line: undefined };
      return { end: from + newline + 1, line: bytes.toString("utf8", before + 1, newline) };
    }
    const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, from));
    from -= chunk.length;
    readSync(file, chunk, 0, chunk.length, from);
    bytes = Buffer.concat([chunk, bytes]);
  }
}
