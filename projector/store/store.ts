import { type Connection, openWriter } from "../../shared/sqlite.ts";
import { createActionLogs } from "./action-logs.ts";
import { createDeadLetters } from "./dead-letters.ts";
import { createErased } from "./erased.ts";
import { createIdentities } from "./identities.ts";
import { createLeads } from "./leads.ts";
import { createMeta } from "./meta.ts";
import { migrate } from "./migrate.ts";
import { createNumbers, type NextNumber } from "./numbers.ts";
import { createPositions } from "./positions.ts";
import { createRelays } from "./relays.ts";
import { createSetAsides } from "./set-asides.ts";
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
  readonly erased: ReturnType<typeof createErased>;
  readonly relays: ReturnType<typeof createRelays>;
  readonly setAsides: ReturnType<typeof createSetAsides>;
  readonly deadLetters: ReturnType<typeof createDeadLetters>;
  /** Runs the work in one write transaction: all of it is stored, or nothing. */
  transaction<T>(work: (next: NextNumber) => T): T;
  close(): void;
}

/**
 * Opens the view database, creating it where there is none.
 * @param now milliseconds since 1970: what the numbers of changes keep above
 * @throws SchemaError where it is of a schema that this program can't write
 */
export function openStore(file: string, now: () => number = Date.now): Store {
  const db = openWriter(file);
  try {
    migrate(db);
  } catch (error) {
    db.close();
    throw error;
  }
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
    erased: createErased(db),
    relays: createRelays(db),
    setAsides: createSetAsides(db),
    deadLetters: createDeadLetters(db),
    transaction: <T>(work: (next: NextNumber) => T) => transact.immediate(work) as T,
    close: () => db.close(),
  };
}
