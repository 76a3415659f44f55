import { existsSync } from "node:fs";
import { every, wallClock } from "../shared/clock.ts";
import { controlFile, SELECT_TURN } from "../shared/control.ts";
import { type Connection, openReader } from "../shared/sqlite.ts";

const LOOK_MS = 100;

/** Whether the views of this folder are the ones to serve, where databases of one shard take turns. */
export interface Turn {
  /** False while another database owns the shard: what is here is older, and has other numbers. */
  isOurs(): boolean;
  close(): void;
}

interface TurnRow {
  readonly owns: number | null;
  readonly heartbeatAt: number;
}

/**
 * Follows what the folder's projector says.
 * @param leaseMs how long after the projector was last heard of no other database can have taken its turn; undefined = there
 *   is no other one, and what is here is served whatever the projector does
 */
export function createTurn(databaseDir: string, leaseMs: number | undefined): Turn {
  let db: Connection | undefined;
  let ours = leaseMs === undefined;
  const isOurs = (row: TurnRow | undefined): boolean => {
    if (leaseMs === undefined) return row?.owns !== 0;
    return row?.owns === 1 && wallClock() - row.heartbeatAt < leaseMs;
  };
  const look = () => {
    try {
      if (!db && existsSync(controlFile(databaseDir))) db = openReader(controlFile(databaseDir));
      ours = isOurs(db?.prepare<[], TurnRow>(SELECT_TURN).get());
    } catch {
      // Locked, or being replaced: what was known holds until the next look.
      db?.close();
      db = undefined;
    }
  };
  look();
  const looking = every(LOOK_MS, look).unref();
  return {
    isOurs: () => ours,
    close() {
      looking.stop();
      db?.close();
    },
  };
}
