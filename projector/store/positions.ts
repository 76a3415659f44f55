import type { Connection } from "../../shared/sqlite.ts";
import { FencedError, type Position } from "../source/source.ts";

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
  const turn = db.prepare<[], number>("SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'turn'").pluck();
  const nextTurn = db.prepare<[number]>(
    "UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE name = 'turn' AND value <> 'retired' AND CAST(value AS INTEGER) = ?",
  );
  const setTurn = db.prepare<[string]>("UPDATE meta SET value = ? WHERE name = 'turn'");
  return {
    all: (): Position[] => all.all(),
    /** Counts the commits of all processes. */
    turn: (): number => turn.get() as number,
    /**
     * Takes the next turn at writing.
     * @param seen the turn that this process read its state at
     * @throws FencedError where another process had a turn since
     */
    takeTurn(seen: number): void {
      if (nextTurn.run(seen).changes !== 1)
        throw new FencedError("another process wrote to the view database");
    },
    /** Ends all writing to a generation that no longer serves: whoever tries is fenced. */
    retire: (): void => void setTurn.run("retired"),
    /** Lets a retired generation be written to again. */
    revive(): void {
      setTurn.run("0");
    },
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
