import { isDamage } from "../store/trouble.ts";

/**
 * What went wrong while records were folded or committed, which trying again can't mend: the projector stops. The
 * message says what, where, and what to do.
 */
export class ProjectionError extends Error {
  override readonly name = "ProjectionError";
}

/** Says of an error that stops the projection what the reader can do. */
export function remedyOf(error: unknown): string {
  const { code = "" } = error as { code?: string };
  if (/^(SQLITE_(READONLY|PERM|AUTH)|EACCES|EPERM|EROFS)/.test(code)) {
    return "give the projector's user write permission on the files in DATABASE_DIR, then start it again";
  }
  if (isDamage(error)) {
    return "the database file is damaged: restore it, or fold the history again (npx lead-view rebuild)";
  }
  return "nothing of it was committed; report it with this message, and fold the history again once it is mended (npx lead-view rebuild)";
}
