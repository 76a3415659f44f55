import { createHash } from "node:crypto";

/** A record's headers as Kafka has them: text, bytes or null under any name, several under one name possible. */
export type HeaderValue = string | Buffer | null | readonly (string | Buffer | null)[];
export type Headers = Readonly<Record<string, HeaderValue>>;

/** The latest time that a date can be, in milliseconds since 1970, and its negative the earliest. */
export const LATEST_MS = 8.64e15;

/** The timestamp of a record that has none; Kafka's own value for that. */
export const NO_TIMESTAMP = -1;

/** One record of the event log, byte for byte as it was produced. */
export interface SourceRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  /** Milliseconds since 1970, whole, no further from it than LATEST_MS; NO_TIMESTAMP where nobody said. */
  readonly timestamp: number;
  readonly headers: Headers;
  /** Null is a tombstone. */
  readonly value: Buffer | null;
  /** The value's JSON, where the log's framing had to parse it anyway. */
  readonly json?: RecordJson | undefined;
  /** Set where the log's own framing of the record can't be read: why. Such a record is a dead letter. */
  readonly unreadable?: string | undefined;
  /** The record as it stands in the log's file, where nobody had to parse it yet. */
  readonly line?: LineBytes;
}

/** The bytes of a line, without its newline, and those of its key: `chunk` from `start` up to, not including, `end`. */
export interface LineBytes {
  readonly chunk: Buffer;
  readonly start: number;
  readonly end: number;
  readonly keyStart: number;
  readonly keyEnd: number;
}

/** A text that holds a record's value, what the value parsed to, and a way to it from another parse of the text. */
export interface RecordJson {
  readonly text: string;
  readonly value: unknown;
  readonly within: (parsed: unknown) => unknown;
}

/** Where to go on in one partition. */
export interface Position {
  readonly topic: string;
  readonly partition: number;
  /** The offset of the next record to fold. */
  readonly nextOffset: number;
  /** The last record that was handed over, to know the log again by; null where there was none. */
  readonly last: { readonly offset: number; readonly hash: string } | null;
  /** The source's own note for finding the place again quickly; opaque to all others. */
  readonly cursor: string | null;
}

/** A record's hash: the same whichever source it comes from, so that a log is known again by its records. */
export function recordHash({ key, timestamp, value }: SourceRecord): string {
  const hash = createHash("sha256").update(`${timestamp} ${key?.length ?? -1} ${value?.length ?? -1} `);
  if (key) hash.update(key);
  if (value) hash.update(value);
  return hash.digest("base64url").slice(0, 16);
}

/** One text for a partition of a topic, to look things up by. */
export const partitionName = ({ topic, partition }: Pick<SourceRecord, "topic" | "partition">): string =>
  `${topic}/${partition}`;

/** A record's place in the log. */
export type RecordPosition = Pick<SourceRecord, "topic" | "partition" | "offset">;

/** The place that a text such as `omni.lead/0/17` names; undefined where it names none. */
export function recordPosition(text: string): RecordPosition | undefined {
  const [, topic, partition, offset] = /^([\w.-]{1,249})\/(\d{1,9})\/(\d{1,15})$/.exec(text) ?? [];
  if (topic === undefined) return undefined;
  return { topic, partition: Number(partition), offset: Number(offset) };
}

export const recordPositionName = (position: RecordPosition): string =>
  `${partitionName(position)}/${position.offset}`;

/** Records in order per partition, and the positions after them. */
export interface Batch {
  readonly records: readonly SourceRecord[];
  readonly positions: readonly Position[];
  /** True where the log is known to hold more right now, so that a commit may wait for it. */
  readonly more: boolean;
  /** To be called now and then while a batch takes long, so that the log does not take its reader for dead. */
  readonly keepAlive?: () => Promise<void>;
}

/** Where records go: the projection, as a source sees it. */
export interface Sink {
  /** Where to go on in each partition: behind what was committed, or was folded for the next commit. */
  positions(): readonly Position[];
  /** Folds a batch. Records below their partition's position are passed over. */
  handle(batch: Batch): Promise<void>;
}

/** The offset that the next record of a partition will have. */
export interface End extends Pick<Position, "topic" | "partition"> {
  readonly end: number;
}

/**
 * What is needed where databases take turns as the owner of a shard: what they tell each other's successor, by way of the
 * log (rule: one number).
 */
export interface Succession {
  /** Names the database. */
  readonly database: string;
  /** The last number that it gave. */
  lastNumber(): number;
  /** Up to where it is folded, with all of that committed. */
  committed(): readonly Position[];
  /** The lowest number that a lead has; undefined where there are no leads. */
  lowestNumber(): number | undefined;
  /**
   * From now on all numbers in it are above this one: those of the views that it has, too.
   * @returns false where it stops before that is so
   */
  succeed(number: number): Promise<boolean>;
}

/** Why a reader's signal aborts where another one of the same database begins at once. */
export const RETURNS = Symbol("it begins anew at once");

/** An ordered, resumable log of events: Kafka or files. */
export interface Source {
  /**
   * Hands over batches from the sink's positions on, one at a time, then follows the log until the signal aborts.
   * @throws SourceError where the log no longer holds what the positions say
   */
  run(sink: Sink, signal: AbortSignal): Promise<void>;
  /**
   * The same up to where the log ends at the call, or until the signal aborts; it waits for nothing that is not there.
   * @throws SourceError as `run`
   */
  readToEnd(sink: Sink, signal: AbortSignal): Promise<void>;
  /** Where the partitions end that are read now, as far as the log has told. */
  ends(): readonly End[];
  /** False where another database has the turn to fold, publish and serve what this one would. */
  owns(): boolean | undefined;
  /** Why what is read is not all of the log, or not read at all; undefined where nothing is wrong. */
  trouble(): string | undefined;
}

/**
 * The log contradicts the stored positions or itself; the message says where, and what to do. `sign` tells apart a topic
 * that is not there and one that is not the one, or not whole, that was read before.
 */
export class SourceError extends Error {
  override readonly name = "SourceError";
  readonly sign: "missing" | "changed" | undefined;
  constructor(message: string, sign?: "missing" | "changed") {
    super(message);
    this.sign = sign;
  }
}
