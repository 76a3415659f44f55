/** A record's headers as Kafka has them: text or bytes by name, several under one name possible. */
export type HeaderValue = string | Buffer | readonly (string | Buffer)[];
export type Headers = Readonly<Record<string, HeaderValue>>;

/** One record of the event log, byte for byte as it was produced. */
export interface SourceRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly headers: Headers;
  /** Null is a tombstone. */
  readonly value: Buffer | null;
  /** The value's JSON, where the log's framing had to parse it anyway: a text that holds it, and what it parsed to. */
  readonly json?: { readonly text: string; readonly value: unknown };
  /** Set where the log's own framing of the record can't be read: why. Such a record is a dead letter. */
  readonly unreadable?: string;
}

/** Where to go on in one partition. */
export interface Position {
  readonly topic: string;
  readonly partition: number;
  /** The offset of the next record to fold. */
  readonly nextOffset: number;
  /** The source's own note for finding the place again quickly and checking it; opaque to all others. */
  readonly cursor: string | null;
}

/** Records in order per partition, and the positions after them. */
export interface Batch {
  readonly records: readonly SourceRecord[];
  readonly positions: readonly Position[];
  /** True where the log is known to hold more right now, so that a commit may wait for it. */
  readonly more: boolean;
}

/** An ordered, resumable log of events: Kafka or files (design.md section 2). */
export interface Source {
  /**
   * Hands over batches from the given positions on, then follows the log until the signal aborts.
   * The next batch is read only when the promise of the one before has settled.
   * @throws SourceError where the log no longer holds what the positions say
   */
  run(
    positions: readonly Position[],
    handle: (batch: Batch) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void>;
}

/** The log contradicts the stored positions or itself; the message says where, and what to do. */
export class SourceError extends Error {
  override readonly name = "SourceError";
}
