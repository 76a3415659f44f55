import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { type Frame, frameOf, framesIn, leadByLead } from "../source/record-frames.ts";
import type { SourceRecord } from "../source/source.ts";

/** Bytes of a slice's records that wait to be written together. */
const WRITTEN_AT_ONCE = 64 * 1024;
/** A slice that turned out larger than it was to be, by so much, is cut again. */
const TOO_LARGE = 2;
const MOST_CUTS = 6;

export interface SlicesOptions {
  /** The files' path, to which a number is appended; they have no name any more once they are open. */
  readonly path: string;
  /** How many slices there are. */
  readonly count: number;
  /** Bytes of records that are to be in memory at a time. */
  readonly sliceBytes: number;
}

/**
 * Puts records aside in slices of leads, so that all of a lead's records can be folded together and yet each is read from
 * the log once. The files are unlinked as soon as they are open: nobody else finds them, and nothing is left of them
 * once the process is gone, however it goes.
 */
export interface Slices {
  /** @param hash of the lead that the record speaks of */
  put(record: SourceRecord, hash: number): void;
  /**
   * Hands over the records lead by lead: of each, and of those with its hash, all records in their order. Their bytes are
   * others' once the next ones are asked for.
   */
  drain(): Generator<Iterable<SourceRecord>>;
  close(): void;
}

export function createSlices(options: SlicesOptions): Slices {
  const level = openLevel(options, createMemory(), 0);
  return {
    put: (record, hash) => level.put(frameOf(record, hash), hash),
    *drain() {
      for (const frames of level.drain()) yield* leadByLead(frames);
    },
    close: level.close,
  };
}

interface Slice {
  readonly file: number;
  waiting: Buffer;
  used: number;
  bytes: number;
}

/** @param cuts how often what is put here was cut before: each time the slices are others */
function openLevel({ path, count, sliceBytes }: SlicesOptions, memory: Memory, cuts: number) {
  const slices: (Slice | undefined)[] = [];
  const numberOf = (hash: number) =>
    Math.floor(((Math.imul(hash, FACTORS[cuts] as number) >>> 0) / 2 ** 32) * count);
  const flush = (slice: Slice) => {
    for (let done = 0; done < slice.used; )
      done += writeSync(slice.file, slice.waiting, done, slice.used - done);
    slice.used = 0;
  };
  const close = () => {
    for (const slice of slices.splice(0)) if (slice) closeSync(slice.file);
  };
  return {
    put(frame: Frame, hash: number): void {
      const number = numberOf(hash);
      const slice = slices[number] ?? openSlice(`${path}-${cuts}-${number}`);
      slices[number] = slice;
      if (slice.used + frame.length > slice.waiting.length) {
        flush(slice);
        if (frame.length > slice.waiting.length) slice.waiting = Buffer.allocUnsafe(frame.length);
      }
      frame.writeTo(slice.waiting, slice.used);
      slice.used += frame.length;
      slice.bytes += frame.length;
    },
    *drain(): Generator<Buffer> {
      for (const [number, slice] of slices.entries()) {
        if (!slice) continue;
        flush(slice);
        slice.waiting = EMPTY;
        if (slice.bytes > TOO_LARGE * sliceBytes && cuts < MOST_CUTS) {
          const finer = { path, count: Math.ceil(slice.bytes / sliceBytes), sliceBytes };
          yield* cutAgain(slice, finer, memory, cuts + 1);
        } else yield readAll(slice, memory);
        closeSync(slice.file);
        slices[number] = undefined;
      }
    },
    close,
  };
}

function* cutAgain(slice: Slice, options: SlicesOptions, memory: Memory, cuts: number): Generator<Buffer> {
  const level = openLevel({ ...options, count: Math.min(options.count, MOST_AT_A_CUT) }, memory, cuts);
  try {
    for (const { hash, bytes } of framesIn(readAll(slice, memory))) {
      level.put({ length: bytes.length, writeTo: (target, at) => void bytes.copy(target, at) }, hash);
    }
    yield* level.drain();
  } finally {
    level.close();
  }
}

const MOST_AT_A_CUT = 16;
const EMPTY = Buffer.alloc(0);
/** Odd numbers whose products spread a hash anew. */
const FACTORS = [0x9e3779b1, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f, 0x165667b1, 0xd3a2646d, 0xfd7046c5];

function openSlice(path: string): Slice {
  const file = openSync(path, "w+", 0o600);
  // Whoever finds it by its name takes it for a dead one's, and removes it.
  rmSync(path, { force: true });
  return { file, waiting: Buffer.allocUnsafe(WRITTEN_AT_ONCE), used: 0, bytes: 0 };
}

/** The memory that slices are read into, one after the other. */
type Memory = (bytes: number) => Buffer;

function createMemory(): Memory {
  let memory = EMPTY;
  return (bytes) => {
    if (memory.length < bytes) memory = Buffer.allocUnsafeSlow(bytes);
    return memory.subarray(0, bytes);
  };
}

function readAll({ file, bytes }: Slice, memory: Memory): Buffer {
  const all = memory(bytes);
  for (let done = 0; done < bytes; ) {
    const read = readSync(file, all, done, bytes - done, done);
    if (read === 0) throw new Error("a build's own file is shorter than what was written into it");
    done += read;
  }
  return all;
}
