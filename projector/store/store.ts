import { existsSync } from "node:fs";
import { wallClock } from "../../shared/clock.ts";
import { viewFile } from "../../shared/generation.ts";
import { type Connection, openReader, openWriter } from "../../shared/sqlite.ts";
import { createActionLogs } from "./action-logs.ts";
import { createArrivals } from "./arrivals.ts";
import { createDeadLetters } from "./dead-letters.ts";
import { createErased } from "./erased.ts";
import { createIdentities } from "./identities.ts";
import { createLeads } from "./leads.ts";
import { createMeta } from "./meta.ts";
import { migrate, requireSchema } from "./migrate.ts";
import { createNumbers, type NextNumber } from "./numbers.ts";
import { overwriting } from "./overwriting.ts";
import { createPositions } from "./positions.ts";
import { createRelays } from "./relays.ts";
import { createSetAsides } from "./set-asides.ts";
import { createUnconfirmed } from "./unconfirmed.ts";
import { createViews } from "./views.ts";

/** The view database as its only writer sees it. */
export interface Store {
  readonly db: Connection;
  readonly meta: ReturnType<typeof createMeta>;
  readonly numbers: ReturnType<typeof createNumbers>;
  readonly positions: ReturnType<typeof createPositions>;
  readonly leads: ReturnType<typeof createLeads>;
  readonly identities: ReturnType<typeof createIdentities>;
  readonly actionLogs: ReturnType<typeof createActionLogs>;
  readonly views: ReturnType<typeof createViews>;
  readonly arrivals: ReturnType<typeof createArrivals>;
  readonly unconfirmed: ReturnType<typeof createUnconfirmed>;
  readonly erased: ReturnType<typeof createErased>;
  readonly relays: ReturnType<typeof createRelays>;
  readonly setAsides: ReturnType<typeof createSetAsides>;
  readonly deadLetters: ReturnType<typeof createDeadLetters>;
  /** Runs the work in one write transaction: all of it is stored, or nothing. */
  transaction<T>(work: (next: NextNumber) => T): T;
  /** The same, where something is erased: what is deleted is overwritten, and all that was deleted before. */
  erasing<T>(work: (next: NextNumber) => T): T;
  close(): void;
}

export interface StoreOptions {
  /** Milliseconds since 1970: what the numbers of changes keep above. */
  readonly now?: () => number;
  /** True where a file that is not there is not to be made. */
  readonly mustExist?: boolean;
}

/**
 * Opens the view database, creating it where there is none.
 * @throws SchemaError where it is of a schema that this program can't write
 */
export function openStore(file: string, { now = wallClock, mustExist = false }: StoreOptions = {}): Store {
  const db = openWriter(file, { mustExist });
  try {
    migrate(db);
  } catch (error) {
    db.close();
    throw error;
  }
  return storeOf(db, now);
}

/**
 * Opens the view database of a folder to read, beside its owner: nothing is created, migrated or changed.
 * @throws Error where there is none, SchemaError where it is of another schema
 */
export function openStoreToRead(config: { readonly databaseDir: string }): Store {
  const file = viewFile(config);
  if (!existsSync(file))
    throw new Error(
      `there is no view database in ${config.databaseDir}; set DATABASE_DIR to the projector's, or start a projector`,
    );
  const db = openReader(file);
  try {
    requireSchema(db);
    return storeOf(db, wallClock);
  } catch (error) {
    db.close();
    throw error;
  }
}

function storeOf(db: Connection, now: () => number): Store {
  const numbers = createNumbers(db, now);
  const transact = db.transaction((work: (next: NextNumber) => unknown) => numbers.during(work));
  return {
    db,
    meta: createMeta(db),
    numbers,
    positions: createPositions(db),
    leads: createLeads(db),
    identities: createIdentities(db),
    actionLogs: createActionLogs(db),
    views: createViews(db),
    arrivals: createArrivals(db),
    unconfirmed: createUnconfirmed(db),
    erased: createErased(db),
    relays: createRelays(db),
    setAsides: createSetAsides(db),
    deadLetters: createDeadLetters(db),
    transaction: <T>(work: (next: NextNumber) => T) => transact.immediate(work) as T,
    erasing: <T>(work: (next: NextNumber) => T) =>
      overwriting(db, (overwriteFree) =>
        transact.immediate((next) => {
          const result = work(next);
          overwriteFree();
          return result;
        }),
      ) as T,
    close: () => db.close(),
  };
}
