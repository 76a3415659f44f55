import type { Connection } from "../../shared/sqlite.ts";
import { headersFromJson, headersToJson } from "../source/headers.ts";
import type { Headers, SourceRecord } from "../source/source.ts";

/** A record that could not be folded, and why. */
export interface DeadLetter {
  readonly record: SourceRecord;
  /** One word for counting and filtering. */
  readonly code: string;
  readonly reason: string;
  /** The event's own id, where the record is an event. */
  readonly eventId?: string;
}

export interface StoredDeadLetter extends DeadLetter {
  readonly id: number;
  /** ISO-8601. */
  readonly failedAt: string;
}

interface Row {
  readonly id: number;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly timestamp: number;
  readonly headers: string;
  readonly value: Buffer | null;
  readonly code: string;
  readonly reason: string;
  readonly failedAt: string;
}

const COLUMNS = `id, topic, "partition", "offset", "key", "timestamp", headers, value, code, reason, failed_at AS failedAt`;

/** The table of dead letters: records are kept byte for byte (design.md section 4). */
export function createDeadLetters(db: Connection) {
  const insert = db.prepare(
    `INSERT INTO dead_letter (topic, "partition", "offset", "key", "timestamp", headers, value, code, reason, failed_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const erase = db.prepare<[Buffer]>('DELETE FROM dead_letter WHERE "key" = ?');
  const get = db.prepare<[number], Row>(`SELECT ${COLUMNS} FROM dead_letter WHERE id = ?`);
  const list = db.prepare<[number, number], Row>(
    `SELECT ${COLUMNS} FROM dead_letter WHERE id > ? ORDER BY id LIMIT ?`,
  );
  const unpublished = db.prepare<[number], Row>(
    `SELECT ${COLUMNS} FROM dead_letter WHERE published = 0 ORDER BY id LIMIT ?`,
  );
  const waiting = db.prepare<[], number>("SELECT count(*) FROM dead_letter WHERE published = 0").pluck();
  const markPublished = db.prepare<[number]>("UPDATE dead_letter SET published = 1 WHERE id = ?");
  const remove = db.prepare<[number]>("DELETE FROM dead_letter WHERE id = ?");
  const at = db.prepare<[string, number, number], Row>(
    `SELECT ${COLUMNS} FROM dead_letter WHERE topic = ? AND "partition" = ? AND "offset" = ?`,
  );
  const count = db.prepare<[], number>("SELECT count(*) FROM dead_letter").pluck();
  const inOneTransaction = db.transaction((work: () => void) => work());
  return {
    add({ record, code, reason }: DeadLetter, failedAt: Date): void {
      const { topic, partition, offset, key, timestamp, headers, value } = record;
      const json = JSON.stringify(headersToJson(headers));
      insert.run(topic, partition, offset, key, timestamp, json, value, code, reason, failedAt.toISOString());
    },
    get(id: number): StoredDeadLetter | undefined {
      const row = get.get(id);
      return row && storedDeadLetter(row);
    },
    /** In the order in which they came, from the one behind `after` on. */
    list: (after: number, most: number): StoredDeadLetter[] => list.all(after, most).map(storedDeadLetter),
    /** Those of one position of the log. */
    at: ({
      topic,
      partition,
      offset,
    }: Pick<SourceRecord, "topic" | "partition" | "offset">): StoredDeadLetter[] =>
      at.all(topic, partition, offset).map(storedDeadLetter),
    count: (): number => count.get() as number,
    /** Those that their topic does not have yet, oldest first. */
    unpublished: (most: number): StoredDeadLetter[] => unpublished.all(most).map(storedDeadLetter),
    /** How many their topic does not have yet. */
    waiting: (): number => waiting.get() as number,
    markPublished(ids: readonly number[]): void {
      inOneTransaction.immediate(() => {
        for (const id of ids) markPublished.run(id);
      });
    },
    /** @returns false where there is no such letter */
    remove: (id: number): boolean => remove.run(id).changes === 1,
    /** Forgets the letters that carry an erased lead's key. */
    erase: (leadId: string): void => void erase.run(Buffer.from(leadId)),
  };
}

function storedDeadLetter({ id, code, reason, failedAt, headers, ...record }: Row): StoredDeadLetter {
  return {
    id,
    code,
    reason,
    failedAt,
    record: { ...record, headers: headersFromJson(JSON.parse(headers)) as Headers },
  };
}
