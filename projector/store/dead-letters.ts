import type { Connection } from "../../shared/sqlite.ts";
import { headersFromJson, headersToJson } from "../source/headers.ts";
import type { Headers, RecordPosition, SourceRecord } from "../source/source.ts";
import { createMeta } from "./meta.ts";
import { markTraces } from "./scrub.ts";

/** A record that could not be folded, and why. */
export interface DeadLetter {
  readonly record: SourceRecord;
  /** One word for counting and filtering. */
  readonly code: string;
  readonly reason: string;
  /** The event's own id, where the record is an event. */
  readonly eventId?: string;
  /** The lead that it spoke of, where that is known. */
  readonly leadId: string | null;
}

export interface StoredDeadLetter extends DeadLetter {
  /** ISO-8601. */
  readonly failedAt: string;
}

/** A dead letter in a list: what it says of itself, without the record's bytes. */
export interface ListedDeadLetter extends RecordPosition {
  readonly code: string;
  readonly reason: string;
  /** ISO-8601. */
  readonly failedAt: string;
  readonly leadId: string | null;
}

interface Row {
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
  readonly leadId: string | null;
}

const COLUMNS = `topic, "partition", "offset", "key", "timestamp", headers, value, code, reason, failed_at AS failedAt,
  lead_id AS leadId`;
const AT = 'topic = ? AND "partition" = ? AND "offset" = ?';
const ORDER = 'ORDER BY topic, "partition", "offset"';

/** The table of dead letters: records are kept byte for byte, under their positions. */
export function createDeadLetters(db: Connection) {
  const insert = db.prepare(
    `INSERT INTO dead_letter (topic, "partition", "offset", "key", "timestamp", headers, value, code, reason, failed_at, lead_id)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET code = excluded.code, reason = excluded.reason, lead_id = excluded.lead_id`,
  );
  const isDiscarded = db.prepare<[string, number, number], unknown>(`SELECT 1 FROM discarded WHERE ${AT}`);
  const discard = db.prepare<[string, number, number]>(
    "INSERT INTO discarded VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
  );
  const erase = db.prepare<[string, Buffer]>(`DELETE FROM dead_letter WHERE lead_id = ? OR "key" = ?`);
  const partitionsOf = db
    .prepare<[string, Buffer], number>(
      `SELECT "partition" FROM dead_letter WHERE lead_id = ? OR "key" = ? OR (lead_id IS NULL AND "key" IS NULL)
       UNION SELECT "partition" FROM discarded`,
    )
    .pluck();
  const get = db.prepare<[string, number, number], Row>(`SELECT ${COLUMNS} FROM dead_letter WHERE ${AT}`);
  const list = db.prepare<[string, number, number, number], Row>(
    `SELECT ${COLUMNS} FROM dead_letter WHERE (topic, "partition", "offset") > (?, ?, ?) ${ORDER} LIMIT ?`,
  );
  const listed = db.prepare<[string, number, number, number], ListedDeadLetter>(
    `SELECT topic, "partition", "offset", code, reason, failed_at AS failedAt, lead_id AS leadId
     FROM dead_letter WHERE (topic, "partition", "offset") > (?, ?, ?) ${ORDER} LIMIT ?`,
  );
  const byTopic = db.prepare<[], { topic: string; count: number }>(
    "SELECT topic, count(*) AS count FROM dead_letter GROUP BY topic",
  );
  const unpublished = db.prepare<[number], Row>(
    `SELECT ${COLUMNS} FROM dead_letter WHERE published = 0 ${ORDER} LIMIT ?`,
  );
  const waiting = db.prepare<[], number>("SELECT count(*) FROM dead_letter WHERE published = 0").pluck();
  const markPublished = db.prepare<[string, number, number]>(
    `UPDATE dead_letter SET published = 1 WHERE ${AT}`,
  );
  const remove = db.prepare<[string, number, number]>(`DELETE FROM dead_letter WHERE ${AT}`);
  const count = db.prepare<[], number>("SELECT count(*) FROM dead_letter").pluck();
  const meta = createMeta(db);
  /** Its lead may be erased later, when nothing is found of it any more. */
  const removeOne = ({ topic, partition, offset }: RecordPosition): boolean => {
    const found = remove.run(topic, partition, offset).changes === 1;
    if (found) markTraces({ meta });
    return found;
  };
  const inOneTransaction = db.transaction((work: () => void) => work());
  return {
    /** Keeps a record; one that was discarded before, or is kept already, is not new. */
    add({ record, code, reason, leadId }: DeadLetter, failedAt: Date): void {
      const { topic, partition, offset, key, timestamp, headers, value } = record;
      if (isDiscarded.get(topic, partition, offset) !== undefined) return;
      const json = JSON.stringify(headersToJson(headers));
      const at = failedAt.toISOString();
      insert.run(topic, partition, offset, key, timestamp, json, value, code, reason, at, leadId);
    },
    get({ topic, partition, offset }: RecordPosition): StoredDeadLetter | undefined {
      const row = get.get(topic, partition, offset);
      return row && storedDeadLetter(row);
    },
    /** The partitions of those that speak of the lead, or may, and of all that were discarded. */
    partitionsOf: (leadId: string): number[] => partitionsOf.all(leadId, Buffer.from(leadId)),
    /** In the order of their positions, from behind `after` on. */
    list: ({ topic, partition, offset }: RecordPosition, most: number): StoredDeadLetter[] =>
      list.all(topic, partition, offset, most).map(storedDeadLetter),
    /** The same without the records, for lists that are looked at. */
    listed: ({ topic, partition, offset }: RecordPosition, most: number): ListedDeadLetter[] =>
      listed.all(topic, partition, offset, most),
    count: (): number => count.get() as number,
    /** How many there are of each topic that has any. */
    byTopic: (): { readonly topic: string; readonly count: number }[] => byTopic.all(),
    /** Those that their topic does not have yet: no more than so many bytes of values, or one letter where that is larger. */
    unpublished(most: number, mostBytes: number): StoredDeadLetter[] {
      const letters: StoredDeadLetter[] = [];
      let bytes = 0;
      for (const row of unpublished.iterate(most)) {
        bytes += (row.value?.length ?? 0) + row.headers.length;
        if (letters.length > 0 && bytes > mostBytes) break;
        letters.push(storedDeadLetter(row));
      }
      return letters;
    },
    /** How many their topic does not have yet. */
    waiting: (): number => waiting.get() as number,
    /** Notes that their topic has them, or that they were set aside. */
    markPublished(letters: readonly RecordPosition[]): void {
      for (const { topic, partition, offset } of letters) markPublished.run(topic, partition, offset);
    },
    /** To be called within a transaction. @returns false where there is no such letter */
    remove: removeOne,
    /** Removes a letter for good: no rebuild brings it back. @returns false where there is no such letter */
    discard(position: RecordPosition): boolean {
      let found = false;
      inOneTransaction.immediate(() => {
        found = removeOne(position);
        if (found) discard.run(position.topic, position.partition, position.offset);
      });
      return found;
    },
    /** Forgets the letters of an erased lead: those that carry its key, or spoke of it. @returns how many */
    erase: (leadId: string): number => erase.run(leadId, Buffer.from(leadId)).changes,
  };
}

function storedDeadLetter({ code, reason, failedAt, leadId, headers, ...record }: Row): StoredDeadLetter {
  return {
    code,
    reason,
    failedAt,
    leadId,
    record: { ...record, headers: headersFromJson(JSON.parse(headers)) as Headers },
  };
}
