import type { Connection } from "../../shared/sqlite.ts";
import type { Position } from "../source/source.ts";

/** Another process moved a partition's position since this one read it: what was folded here must not be committed. */
export class FencedError extends Error {
  override readonly name = "FencedError";
}

/** The stored positions (design.md section 4). */
export function createPositions(db: Connection) {
  const all = db.prepare<[], Position>(
    'SELECT topic, "partition", next_offset AS nextOffset, cursor FROM position ORDER BY topic, "partition"',
  );
  const insert = db.prepare<[string, number, number, string | null]>(
    "INSERT INTO position VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
  );
  const move = db.prepare<[number, string | null, string, number, number]>(
    'UPDATE position SET next_offset = ?, cursor = ? WHERE topic = ? AND "partition" = ? AND next_offset = ?',
  );
  return {
    all: (): Position[] => all.all(),
    /**
     * Moves one partition on.
     * @param from the offset that this process last saw stored; undefined = none
     * @throws FencedError where another one is stored
     */
    move({ topic, partition, nextOffset, cursor }: Position, from: number | undefined): void {
      const { changes } =
        from === undefined
          ? insert.run(topic, partition, nextOffset, cursor)
          : move.run(nextOffset, cursor, topic, partition, from);
      if (changes !== 1)
        throw new FencedError(`another projector moved the position of ${topic}/${partition}`);
    },
  };
}
