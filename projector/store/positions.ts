import type { Connection } from "../../shared/sqlite.ts";
import type { Position } from "../source/source.ts";

interface Row {
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset: number;
  readonly lastOffset: number | null;
  readonly lastHash: string | null;
  readonly cursor: string | null;
}

/** The stored positions: they move in the transaction of what was folded. */
export function createPositions(db: Connection) {
  const all = db.prepare<[], Row>(
    `SELECT topic, "partition", next_offset AS nextOffset, last_offset AS lastOffset, last_hash AS lastHash, cursor
     FROM position ORDER BY topic, "partition"`,
  );
  const put = db.prepare(
    `INSERT INTO position VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset,
       last_offset = excluded.last_offset, last_hash = excluded.last_hash, cursor = excluded.cursor
     WHERE excluded.next_offset >= position.next_offset`,
  );
  const removeTopic = db.prepare<[string]>("DELETE FROM position WHERE topic = ?");
  return {
    /** Forgets where to go on in a topic. */
    removeTopic: (topic: string): void => void removeTopic.run(topic),
    all: (): Position[] => all.all().map(positionOf),
    /** Moves a position; one that is further already stays. */
    put({ topic, partition, nextOffset, last, cursor }: Position): void {
      put.run(topic, partition, nextOffset, last?.offset ?? null, last?.hash ?? null, cursor);
    },
  };
}

function positionOf({ lastOffset, lastHash, ...position }: Row): Position {
  const last = lastOffset === null || lastHash === null ? null : { offset: lastOffset, hash: lastHash };
  return { ...position, last };
}
