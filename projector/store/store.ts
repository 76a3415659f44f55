import { setTimeout as delay } from "node:timers/promises";
import { type Connection, openWriter } from "../../shared/sqlite.ts";
import { createActionLogs } from "./action-logs.ts";
import { createChanges } from "./changes.ts";
import { createDeadLetters } from "./dead-letters.ts";
import { createLeads } from "./leads.ts";
import { createMatching } from "./matching.ts";
import { migrate } from "./migrate.ts";
import { createPositions } from "./positions.ts";
import { createViews } from "./views.ts";

/** The view database as the projector, its only writer, sees it. */
export interface Store {
  readonly db: Connection;
  readonly leads: ReturnType<typeof createLeads>;
  readonly actionLogs: ReturnType<typeof createActionLogs>;
  readonly matching: ReturnType<typeof createMatching>;
  readonly views: ReturnType<typeof createViews>;
  readonly changes: ReturnType<typeof createChanges>;
  readonly positions: ReturnType<typeof createPositions>;
  readonly deadLetters: ReturnType<typeof createDeadLetters>;
  /** Runs the work in one write transaction: all of it is stored, or nothing. */
  transaction(work: () => void): void;
  /** The same, where the work waits for something while the database is locked against other writers. */
  transactionAsync(work: () => Promise<void>): Promise<void>;
  close(): void;
}

/** Milliseconds: longer than any commit of a catch-up takes on a slow disk. */
const LONGEST_WAIT_MS = 60_000;
const LOOK_MS = 50;

/** Locks the database against other writers. @throws SqliteError where it is not to be had for a minute */
async function beginWhenFree(db: Connection): Promise<void> {
  for (const deadline = performance.now() + LONGEST_WAIT_MS; ; await delay(LOOK_MS)) {
    try {
      db.exec("BEGIN IMMEDIATE");
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== "SQLITE_BUSY" || performance.now() > deadline) throw error;
    }
  }
}

/** Opens the view database, creating or migrating it. */
export function openStore(file: string): Store {
  const db = openWriter(file);
  migrate(db);
  const changes = createChanges(db);
  const transact = db.transaction((work: () => void) => work());
  return {
    db,
    leads: createLeads(db),
    actionLogs: createActionLogs(db),
    matching: createMatching(db),
    views: createViews(db, changes),
    changes,
    positions: createPositions(db),
    deadLetters: createDeadLetters(db),
    transaction: (work) => transact.immediate(work),
    async transactionAsync(work) {
      await beginWhenFree(db);
      try {
        await work();
        db.exec("COMMIT");
      } catch (error) {
        db.exec("ROLLBACK");
        throw error;
      }
    },
    close: () => db.close(),
  };
}
