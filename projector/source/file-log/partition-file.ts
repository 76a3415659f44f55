import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { type End, type Position, recordHash, SourceError, type SourceRecord } from "../source.ts";
import { createLineReader, type Place, unreadableRecord } from "./file-record.ts";

const NEWLINE = 0x0a;
/** Bytes; a line is held in memory as a whole, so the log refuses one beyond this. */
const LONGEST_LINE = 256 * 1024 ** 2;

/**
 * The source's note in a position: the byte after the last line that was read, that line's length and hash, and the
 * lowest offset that the next line may say.
 */
interface Cursor {
  readonly byte: number;
  readonly leastOffset: number;
  readonly length: number;
  readonly check: string;
}

/** One `<topic>/<partition>.ndjson` file, read line by line from a position on. */
export interface PartitionFile {
  /** Bytes that were written and not read yet. */
  remaining(): number;
  /** The offset behind the last line that was written. */
  end(): End;
  /**
   * Reads the whole lines of about the next `bytes`; a line counts once its newline is there.
   * @throws SourceError where the file was truncated or replaced
   */
  read(bytes: number): { readonly records: SourceRecord[]; readonly position: Position } | undefined;
  close(): void;
}

interface Where {
  readonly path: string;
  readonly topic: string;
  readonly partition: number;
}

/**
 * Opens the file at a stored position, or at its start.
 * @throws SourceError where it does not hold what was folded
 */
export function openPartitionFile(where: Where, stored: Position | undefined): PartitionFile {
  const { path, topic, partition } = where;
  const file = openSync(path, "r");
  const cursor: Cursor | undefined = stored?.cursor ? JSON.parse(stored.cursor) : undefined;
  const isPlace = cursor !== undefined && holdsLine(file, cursor);
  if (!isPlace && stored?.last) requireRecord(where, stored.last);
  const foldedUpTo = stored?.nextOffset ?? 0;
  // Where the place is not known, the file is read from its start, and what was folded before is passed over.
  let byte = isPlace ? cursor.byte : 0;
  const place: Place = {
    topic,
    partition,
    nextOffset: isPlace ? foldedUpTo : 0,
    leastOffset: isPlace ? cursor.leastOffset : 0,
  };
  const reader = createLineReader(place);
  let last = stored?.last ?? null;
  const ahead = createLineCounter(file, byte);

  return {
    remaining: () => sizeOf(file, path, byte) - byte,
    end: () => ({
      topic,
      partition,
      end: Math.max(place.nextOffset, foldedUpTo) + ahead.count(sizeOf(file, path, byte)),
    }),
    read(bytes) {
      const available = sizeOf(file, path, byte) - byte;
      if (available === 0) return undefined;
      const chunk = readWholeLines(file, path, byte, Math.min(bytes, available), available);
      if (chunk === undefined) return undefined;
      const records: SourceRecord[] = [];
      const readable = isUtf8(chunk);
      let start = 0;
      let lineStart = 0;
      let lines = 0;
      while (start < chunk.length) {
        lines++;
        const end = chunk.indexOf(NEWLINE, start);
        const textStart = skipMark(chunk, start);
        if (!isBlank(chunk, textStart, end)) {
          const record =
            readable || isUtf8(chunk.subarray(start, end))
              ? reader.record(chunk, textStart, end)
              : unreadableRecord(place, chunk.subarray(start, end), "the line is not UTF-8");
          if (record.offset >= foldedUpTo) records.push(record);
        }
        lineStart = start;
        start = end + 1;
      }
      reader.settle();
      const newest = records.at(-1);
      if (newest) last = { offset: newest.offset, hash: recordHash(newest) };
      byte += chunk.length;
      ahead.passed(byte, lines);
      const note: Cursor = {
        byte,
        leastOffset: place.leastOffset,
        length: chunk.length - lineStart,
        check: checkOf(chunk.subarray(lineStart)),
      };
      const position = {
        topic,
        partition,
        nextOffset: Math.max(place.nextOffset, foldedUpTo),
        last,
        cursor: JSON.stringify(note),
      };
      return { records, position };
    },
    close: () => closeSync(file),
  };
}

/** UTF-8's byte order mark, which some editors begin a file with, and which stands within it once files are joined. */
const MARK = Buffer.from([0xef, 0xbb, 0xbf]);

const skipMark = (chunk: Buffer, start: number): number =>
  chunk[start] === MARK[0] && chunk.subarray(start, start + MARK.length).equals(MARK)
    ? start + MARK.length
    : start;

/** True for a line of spaces, tabs and carriage returns only. */
function isBlank(chunk: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = chunk[at];
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return false;
  }
  return true;
}

const COUNTED_AT_ONCE = 1024 ** 2;

/** Counts the lines that are not read yet, each byte once. */
function createLineCounter(file: number, from: number) {
  let counted = from;
  let lines = 0;
  return {
    /** The lines up to a size of the file. */
    count(size: number): number {
      const buffer = counted < size ? Buffer.allocUnsafe(Math.min(COUNTED_AT_ONCE, size - counted)) : EMPTY;
      while (counted < size) {
        const read = readSync(file, buffer, 0, Math.min(buffer.length, size - counted), counted);
        if (read === 0) break;
        for (let at = buffer.indexOf(NEWLINE); at >= 0 && at < read; at = buffer.indexOf(NEWLINE, at + 1))
          lines++;
        counted += read;
      }
      return lines;
    },
    /** Lines were read up to a byte. */
    passed(byte: number, read: number): void {
      lines = byte > counted ? 0 : lines - read;
      counted = Math.max(counted, byte);
    },
  };
}

const EMPTY = Buffer.alloc(0);

/** The bytes from `byte` up to the last newline within `bytes`; more where the first line alone is longer. */
function readWholeLines(
  file: number,
  path: string,
  byte: number,
  bytes: number,
  available: number,
): Buffer | undefined {
  for (let size = bytes; ; size = Math.min(size * 4, available)) {
    if (size > LONGEST_LINE) {
      throw new SourceError(
        `${path}: the line at byte ${byte} is longer than ${LONGEST_LINE} bytes; split or remove it`,
      );
    }
    const buffer = Buffer.allocUnsafe(size);
    const chunk = buffer.subarray(0, readSync(file, buffer, 0, size, byte));
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end > 0) return chunk.subarray(0, end);
    if (size >= available) return undefined;
  }
}

/** @throws SourceError where the path names a shorter, or another, file than the one that is being read */
function sizeOf(file: number, path: string, byte: number): number {
  const open = fstatSync(file);
  const named = statSync(path, { throwIfNoEntry: false });
  if (named?.ino !== open.ino)
    throw new SourceError(`${path}: the file was removed or replaced while it was read; ${REMEDY}`);
  if (open.size < byte) {
    throw new SourceError(
      `${path}: the file was truncated to ${open.size} bytes; ${byte} were folded already; ${REMEDY}`,
    );
  }
  return open.size;
}

/** True where the line before the place is the one that was read there. */
function holdsLine(file: number, { byte, length, check }: Cursor): boolean {
  const line = Buffer.alloc(length);
  return readSync(file, line, 0, length, byte - length) === length && checkOf(line) === check;
}

/** Holds a file that is not the one that was folded to the last record that was: the same log can stand in other files. */
function requireRecord(where: Where, last: NonNullable<Position["last"]>): void {
  const { topic, partition, path } = where;
  const behind: Position = { topic, partition, nextOffset: last.offset, last: null, cursor: null };
  const reader = openPartitionFile(where, behind);
  try {
    for (let read = reader.read(SCANNED_AT_ONCE); read; read = reader.read(SCANNED_AT_ONCE)) {
      const found = read.records.find(({ offset }) => offset >= last.offset);
      if (!found) continue;
      if (found.offset === last.offset && recordHash(found) === last.hash) return;
      throw new SourceError(
        `${path}: the record at offset ${last.offset} is not the one that was folded: this is another log; ${REMEDY}`,
      );
    }
  } finally {
    reader.close();
  }
  throw new SourceError(
    `${path}: the file ends before offset ${last.offset}, up to which it was folded; ${REMEDY}`,
  );
}

const SCANNED_AT_ONCE = 4 * 1024 ** 2;

const REMEDY =
  "restore it, use another DATABASE_DIR, or make the views of what the log holds now (npx lead-view rebuild --accept-loss)";

const checkOf = (line: Buffer): string => createHash("sha256").update(line).digest("base64url").slice(0, 16);
