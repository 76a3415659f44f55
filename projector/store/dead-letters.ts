import type { Connection } from "../../shared/sqlite.ts";
import { headersToJson } from "../source/headers.ts";
import type { SourceRecord } from "../source/source.ts";

/** A record that could not be folded, and why. */
export interface DeadLetter {
  readonly record: SourceRecord;
  /** One word for counting and filtering. */
  readonly code: string;
  readonly reason: string;
}

/** The table of dead letters: records are kept byte for byte (design.md section 4). */
export function createDeadLetters(db: Connection) {
  const insert = db.prepare(
    `INSERT INTO dead_letter (topic, "partition", "offset", "key", "timestamp", headers, value, code, reason, failed_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const erase = db.prepare<[Buffer]>('DELETE FROM dead_letter WHERE "key" = ?');
  return {
    add({ record, code, reason }: DeadLetter, failedAt: Date): void {
      const { topic, partition, offset, key, timestamp, headers, value } = record;
      const json = JSON.stringify(headersToJson(headers));
      insert.run(topic, partition, offset, key, timestamp, json, value, code, reason, failedAt.toISOString());
    },
    /** Forgets the letters that carry an erased lead's key. */
    erase: (leadId: string): void => void erase.run(Buffer.from(leadId)),
  };
}
