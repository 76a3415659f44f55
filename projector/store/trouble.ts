/** What SQLite calls trouble that can pass by itself (rule: whose fault is it). */
const PASSING = /^SQLITE_(BUSY|LOCKED|FULL|IOERR|CANTOPEN|PROTOCOL|NOMEM)/;

/** What the system calls so. */
const PASSING_SYSTEM = /^(ENOSPC|EDQUOT|EIO|EBUSY)$/;

/** True for an error of the database: it is never a record's fault, and never makes a dead letter. */
export const isDatabaseError = (error: unknown): boolean => (error as Error | null)?.name === "SqliteError";

/** True where trying again can help: the database is busy or locked, the disk full, or in trouble of its own. */
export const isPassing = (error: unknown): boolean =>
  (isDatabaseError(error) ? PASSING : PASSING_SYSTEM).test(codeOf(error));

const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code ?? "");

/** True where the database's file is no sound database: only another file helps. */
export const isDamage = (error: unknown): boolean =>
  isDatabaseError(error) && /^SQLITE_(CORRUPT|NOTADB)/.test(codeOf(error));
