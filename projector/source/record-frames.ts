import { TOPICS } from "../../shared/events/catalogue.ts";
import { recordOfBytes } from "./file-log/file-record.ts";
import { headersFromJson, headersToJson } from "./headers.ts";
import type { Headers, SourceRecord } from "./source.ts";

// A record as bytes, for memory outside of the heap and for other threads. A frame is its length, the hash of its lead, its
// kind, topic, partition and offset; behind these a line of the file log as it stood there, or the record's members.

const TOPIC_NAMES: readonly string[] = Object.values(TOPICS);
const LINE = 0;
const MEMBERS = 1;
const HEAD = 22;
/** Behind the head: the timestamp, and the lengths of the four members. */
const MEMBERS_HEAD = 24;
const NONE = -1;

/**
 * The hash of a lead's id that decides which slice it is in, or which folding half it belongs to. Bytes that are no UTF-8 are
 * hashed as the text that they are taken for, since that is the lead's id.
 */
export function leadHash(bytes: Buffer, start = 0, end: number = bytes.length): number {
  for (let at = start; at < end; at++)
    if ((bytes[at] as number) > 0x7f) {
      const text = Buffer.from(bytes.toString("utf8", start, end));
      return hashOf(text, 0, text.length);
    }
  return hashOf(bytes, start, end);
}

function hashOf(bytes: Buffer, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
  return hash >>> 0;
}

/** A record ready to be written as a frame. */
export interface Frame {
  readonly length: number;
  writeTo(target: Buffer, at: number): void;
}

/** @param hash of the lead that the record speaks of */
export function frameOf(record: SourceRecord, hash: number): Frame {
  const { line } = record;
  if (line) {
    const length = HEAD + line.end - line.start;
    return {
      length,
      writeTo(target, at) {
        writeHead(target, at, length, hash, LINE, record);
        line.chunk.copy(target, at + HEAD, line.start, line.end);
      },
    };
  }
  const { key, headers, value, unreadable } = record;
  const headersBytes =
    Object.keys(headers).length > 0 ? Buffer.from(JSON.stringify(headersToJson(headers))) : null;
  const members = [key, headersBytes, value, unreadable === undefined ? null : Buffer.from(unreadable)];
  const length = HEAD + MEMBERS_HEAD + members.reduce((sum, member) => sum + (member?.length ?? 0), 0);
  return {
    length,
    writeTo(target, at) {
      writeHead(target, at, length, hash, MEMBERS, record);
      target.writeDoubleLE(record.timestamp, at + HEAD);
      let behind = at + HEAD + MEMBERS_HEAD;
      for (const [index, member] of members.entries()) {
        target.writeInt32LE(member?.length ?? NONE, at + HEAD + 8 + 4 * index);
        if (member) behind += member.copy(target, behind);
      }
    },
  };
}

function writeHead(
  target: Buffer,
  at: number,
  length: number,
  hash: number,
  kind: number,
  { topic, partition, offset }: SourceRecord,
): void {
  target.writeUInt32LE(length, at);
  target.writeUInt32LE(hash, at + 4);
  target[at + 8] = kind;
  target[at + 9] = TOPIC_NAMES.indexOf(topic);
  target.writeUInt32LE(partition, at + 10);
  target.writeDoubleLE(offset, at + 14);
}

/** Records as bytes of their own, which can be handed over to another thread; `recordsIn` reads them back. */
export function framesOf(records: readonly SourceRecord[]): ArrayBuffer {
  const frames = records.map((record) => frameOf(record, 0));
  const bytes = new ArrayBuffer(frames.reduce((sum, { length }) => sum + length, 0));
  const target = Buffer.from(bytes);
  let at = 0;
  for (const frame of frames) {
    frame.writeTo(target, at);
    at += frame.length;
  }
  return bytes;
}

/** A frame that was read back. */
export interface ReadFrame {
  readonly hash: number;
  /** The frame's own bytes. */
  readonly bytes: Buffer;
}

/** Reads the frames that stand one behind the other. */
export function* framesIn(bytes: Buffer): Generator<ReadFrame> {
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    const frame = bytes.subarray(at, at + length);
    yield { hash: frame.readUInt32LE(4), bytes: frame };
    at += length;
  }
}

/** The records of the frames, in their order. */
export function recordsIn(bytes: Buffer): SourceRecord[] {
  const records: SourceRecord[] = [];
  for (const frame of framesIn(bytes)) records.push(recordIn(frame.bytes));
  return records;
}

/** The records of the frames, grouped by their leads' hashes; each group's records, and the groups, in their order. */
export function* leadByLead(bytes: Buffer): Generator<SourceRecord[]> {
  const groups = new Map<number, number[]>();
  for (let at = 0; at < bytes.length; at += bytes.readUInt32LE(at)) {
    const hash = bytes.readUInt32LE(at + 4);
    const group = groups.get(hash);
    if (group) group.push(at);
    else groups.set(hash, [at]);
  }
  for (const group of groups.values())
    yield group.map((at) => recordIn(bytes.subarray(at, at + bytes.readUInt32LE(at))));
}

function recordIn(frame: Buffer): SourceRecord {
  const topic = TOPIC_NAMES[frame[9] as number] as string;
  const at = { topic, partition: frame.readUInt32LE(10), offset: frame.readDoubleLE(14) };
  if (frame[8] === LINE) return recordOfBytes(at, frame.subarray(HEAD));
  let behind = HEAD + MEMBERS_HEAD;
  const [key, headers, value, unreadable] = [0, 1, 2, 3].map((index) => {
    const length = frame.readInt32LE(HEAD + 8 + 4 * index);
    if (length === NONE) return null;
    behind += length;
    return frame.subarray(behind - length, behind);
  }) as [Buffer | null, Buffer | null, Buffer | null, Buffer | null];
  return {
    ...at,
    key,
    timestamp: frame.readDoubleLE(HEAD),
    headers: headers === null ? {} : (headersFromJson(JSON.parse(headers.toString("utf8"))) as Headers),
    value,
    ...(unreadable === null ? {} : { unreadable: unreadable.toString("utf8") }),
  };
}
