import { headersFromJson, headersToJson } from "../headers.ts";
import {
  type Headers,
  LATEST_MS,
  type LineBytes,
  NO_TIMESTAMP,
  type RecordJson,
  type SourceRecord,
} from "../source.ts";
import { headOf, type LineHead, memberText } from "./line-scanner.ts";

/**
 * A line of a log file: `{"offset", "key", "timestamp", "headers", "value"}`. The value is a JSON object as it was
 * produced, or null for a tombstone. Bytes that JSON can't hold stand as `valueBase64` and `keyBase64`. The offset
 * may be left out by whoever appends by hand: it is then the one after the line before. A line that can't be read has
 * an offset too, the next one: where the line behind it says that very one, it moves up.
 */
class FileRecord implements SourceRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly timestamp: number;
  readonly headers: Headers;
  readonly json: RecordJson;

  constructor(place: Place, line: Line, text: string) {
    this.topic = place.topic;
    this.partition = place.partition;
    this.offset = takeOffset(place, line);
    this.key = keyOf(line);
    this.timestamp = line.timestamp ?? NO_TIMESTAMP;
    this.headers = line.headers === undefined ? NO_HEADERS : (headersFromJson(line.headers) as Headers);
    this.json = { text, value: line.value, within: lineValue };
  }

  /** The bytes as they were produced. Only dead letters and archives ask: the fold uses what the line's parse gave. */
  get value(): Buffer {
    return Buffer.from(memberText(this.json.text, "value") ?? "");
  }
}

const NO_HEADERS: Headers = {};

/** Where a line stands; each record that is made moves it on. */
export interface Place {
  readonly topic: string;
  readonly partition: number;
  /** The offset that the line has, unless it says a higher one. */
  nextOffset: number;
  /** The lowest offset that the line may say: lower than `nextOffset` where lines before it could not be read. */
  leastOffset: number;
}

interface Line {
  readonly offset?: number;
  readonly key?: string | null;
  readonly keyBase64?: string;
  readonly timestamp?: number;
  readonly headers?: unknown;
  readonly value?: unknown;
  readonly valueBase64?: string;
}

/**
 * Makes the records of one file's lines, in their order. A line that is none becomes an unreadable record, never nothing.
 * A line whose offset and key stand at its head, as they do in whatever this program wrote, is parsed only once somebody
 * asks for more: most readers of a long log pass over most of it.
 */
export function createLineReader(place: Place) {
  /** Lines that may turn out to be unreadable; such a line leaves the lowest offset as it was before it. */
  let unsure: { readonly record: SourceRecord; readonly leastOffset: number }[] = [];
  const settle = () => {
    for (let last = unsure.pop(); last?.record.unreadable !== undefined; last = unsure.pop())
      place.leastOffset = last.leastOffset;
    unsure = [];
  };
  return {
    /** The record of the line in `chunk` from `start` up to `end`, without its newline; the bytes are UTF-8. */
    record(chunk: Buffer, start: number, end: number): SourceRecord {
      const head = headOf(chunk, start, end);
      if (head && head.offset >= place.leastOffset) {
        const { leastOffset } = place;
        const record = new UnparsedLine(place, chunk, start, end, head);
        unsure.push({ record, leastOffset });
        return record;
      }
      settle();
      return recordOfLine(place, chunk.toString("utf8", start, end));
    },
    /** Makes sure of the lowest offset that the next line may say. */
    settle,
  };
}

/** The record of one line by itself: what `createLineReader` made of it at that offset. */
export function recordOfBytes(
  { topic, partition, offset }: Pick<SourceRecord, "topic" | "partition" | "offset">,
  line: Buffer,
): SourceRecord {
  const place = { topic, partition, nextOffset: offset, leastOffset: 0 };
  return createLineReader(place).record(line, 0, line.length);
}

/** A line of which only the head was looked at; it may turn out to be unreadable. */
class UnparsedLine implements SourceRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly line: LineBytes;
  private readonly said: number;
  private parsed: SourceRecord | undefined;

  constructor(place: Place, chunk: Buffer, start: number, end: number, head: LineHead) {
    this.topic = place.topic;
    this.partition = place.partition;
    this.said = head.offset;
    this.offset = takeOffset(place, head);
    this.line = { chunk, start, end, keyStart: head.keyStart, keyEnd: head.keyEnd };
  }

  private get record(): SourceRecord {
    this.parsed ??= this.parse();
    return this.parsed;
  }

  private parse(): SourceRecord {
    const { topic, partition, offset, said, line } = this;
    const text = line.chunk.toString("utf8", line.start, line.end);
    const place: Place = { topic, partition, nextOffset: offset, leastOffset: said };
    const record = recordOfLine(place, text);
    // The last of two equal names would count, and the head be wrong.
    const isAsSaid =
      record.unreadable !== undefined ||
      (record.offset === offset &&
        place.leastOffset === said + 1 &&
        record.key?.equals(line.chunk.subarray(line.keyStart, line.keyEnd)));
    if (isAsSaid) return record;
    return unreadableRecord(
      { ...place, nextOffset: offset },
      text,
      "the line says its offset or its key twice",
    );
  }

  get key(): Buffer | null {
    return this.record.key;
  }
  get timestamp(): number {
    return this.record.timestamp;
  }
  get headers(): Headers {
    return this.record.headers;
  }
  get value(): Buffer | null {
    return this.record.value;
  }
  get json(): RecordJson | undefined {
    return this.record.json;
  }
  get unreadable(): string | undefined {
    return this.record.unreadable;
  }
}

/** The record of one line, without its newline, whose offset the place knows. */
export function recordOfLine(place: Place, text: string): SourceRecord {
  let line: Line;
  try {
    line = JSON.parse(text);
  } catch {
    return unreadableRecord(place, text, "the line is not JSON");
  }
  const fault = faultOf(place, line);
  if (fault !== undefined) return unreadableRecord(place, text, fault);
  if (typeof line.value === "object" && line.value !== null) return new FileRecord(place, line, text);
  return {
    topic: place.topic,
    partition: place.partition,
    offset: takeOffset(place, line),
    key: keyOf(line),
    timestamp: line.timestamp ?? NO_TIMESTAMP,
    headers: headersFromJson(line.headers ?? {}) as Headers,
    value: producedValue(line, text),
  };
}

/** A record that stands for bytes the log itself can't make sense of. */
export const unreadableRecord = (place: Place, bytes: string | Buffer, reason: string): SourceRecord => ({
  topic: place.topic,
  partition: place.partition,
  // An offset of its own, and none of those that the lines behind it may say.
  offset: place.nextOffset++,
  key: null,
  timestamp: NO_TIMESTAMP,
  headers: NO_HEADERS,
  value: Buffer.from(bytes as string),
  unreadable: reason,
});

const lineValue = (line: unknown): unknown => (line as Line).value;

function takeOffset(place: Place, { offset: said }: Pick<Line, "offset">): number {
  const offset = Math.max(said ?? 0, place.nextOffset);
  place.nextOffset = offset + 1;
  place.leastOffset = (said ?? place.leastOffset) + 1;
  return offset;
}

function faultOf({ leastOffset }: Place, line: Line): string | undefined {
  if (typeof line !== "object" || line === null || Array.isArray(line))
    return "the line is not a JSON object";
  const { offset, key, keyBase64, timestamp, headers, value, valueBase64 } = line;
  if (offset !== undefined && !(Number.isSafeInteger(offset) && offset >= leastOffset)) {
    return `the offset must be a whole number above that of the line before, here ${leastOffset} or more`;
  }
  if (key !== undefined && key !== null && !(typeof key === "string" && key.isWellFormed()))
    return "the key must be a string that has UTF-8, or null";
  if (keyBase64 !== undefined && typeof keyBase64 !== "string") return "keyBase64 must be a string";
  if (timestamp !== undefined && !(Number.isSafeInteger(timestamp) && Math.abs(timestamp) <= LATEST_MS)) {
    return "the timestamp must be whole milliseconds since 1970";
  }
  if (headers !== undefined && headersFromJson(headers) === undefined)
    return "the headers must be an object of strings, nulls, {base64} or lists of these";
  if (valueBase64 !== undefined && typeof valueBase64 !== "string") return "valueBase64 must be a string";
  if (value === undefined && valueBase64 === undefined) return "the line has no value";
  return undefined;
}

function keyOf({ key, keyBase64 }: Line): Buffer | null {
  if (keyBase64 !== undefined) return Buffer.from(keyBase64, "base64");
  return typeof key === "string" ? Buffer.from(key) : null;
}

function producedValue({ value, valueBase64 }: Line, text: string): Buffer | null {
  if (valueBase64 !== undefined) return Buffer.from(valueBase64, "base64");
  return value === null ? null : Buffer.from(memberText(text, "value") ?? "");
}

/** The line that `recordOfLine` reads back as this record, byte for byte. */
export function lineOfRecord({ offset, key, timestamp, headers, value }: SourceRecord): string {
  const keyText = key?.toString("utf8") ?? null;
  const keyIsText = key === null || Buffer.from(keyText as string).equals(key);
  const keyMember = keyIsText
    ? `"key":${JSON.stringify(keyText)}`
    : `"keyBase64":"${key.toString("base64")}"`;
  const head = `{"offset":${offset},${keyMember},"timestamp":${timestamp},"headers":${JSON.stringify(headersToJson(headers))}`;
  if (value === null) return `${head},"value":null}`;
  return isOneLineObject(value)
    ? `${head},"value":${value.toString("utf8")}}`
    : `${head},"valueBase64":"${value.toString("base64")}"}`;
}

/** True where the bytes can stand in a line as they are. */
function isOneLineObject(value: Buffer): boolean {
  if (value[0] !== 0x7b || value[value.length - 1] !== 0x7d || value.includes(0x0a)) return false;
  const text = value.toString("utf8");
  if (!Buffer.from(text).equals(value)) return false;
  try {
    return typeof JSON.parse(text) === "object";
  } catch {
    return false;
  }
}
