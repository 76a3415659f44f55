/** What can be done about the system's own words, by their code. */
const REMEDIES: readonly (readonly [codes: RegExp, remedy: string])[] = [
  [/^(ENOSPC|EDQUOT|SQLITE_FULL)$/, "the disk is full; free some, and run this again"],
  [
    /^(EACCES|EPERM|SQLITE_READONLY.*|SQLITE_PERM)$/,
    "this user may not; run it as the user whose files they are, or give the files to this one (chown)",
  ],
  [/^EROFS$/, "that disk can't be written to"],
  [/^(ENOTDIR|EEXIST)$/, "there is a file where a folder is needed; name another one"],
  [/^EISDIR$/, "there is a folder where a file is needed; name another one"],
  [/^ENOENT$/, "it is not there; is it written right?"],
  [/^(EMFILE|ENFILE)$/, "too many files are open; allow more (ulimit -n)"],
  [
    /^SQLITE_CANTOPEN/,
    "a database can't be opened; is DATABASE_DIR a folder that this user may write to, with room on its disk?",
  ],
  [/^SQLITE_(NOTADB|CORRUPT)/, "the file is no database, or damaged; restore it, or fold the history again"],
  [/^SQLITE_(BUSY|LOCKED)/, "somebody else works on it; try again shortly"],
  [/^SQLITE_IOERR/, "the disk fails, or is full; look into the system's log"],
  [
    /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT)$/,
    "nobody answers there; is it running, and the address right?",
  ],
];

/** An error as a sentence for whoever called a command: what happened, and where the system's words don't say it, what to do. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code = "" } = error as NodeJS.ErrnoException;
  const remedy = REMEDIES.find(([codes]) => codes.test(code))?.[1];
  if (remedy !== undefined && !error.message.includes(remedy)) return `${error.message}: ${remedy}`;
  if (/^KafkaJS/.test(error.name)) return `Kafka: ${error.message}; are KAFKA_BROKERS and KAFKA_TLS right?`;
  return error.message;
}
