/** What a look at one thing says of it. */
export interface Finding {
  /** What was looked at: settings, folder, disk, database, projector, log, topics, dead letters, relays, webhooks, keys, clock. */
  readonly check: string;
  /** `warn` = worth a look, nothing is wrong yet; `fail` = something does not work, or is about to be lost. */
  readonly state: "ok" | "warn" | "fail";
  /** What was found. */
  readonly says: string;
  /** What to do about it; null where nothing is to be done. */
  readonly todo: string | null;
}

export const ok = (check: string, says: string): Finding => ({ check, state: "ok", says, todo: null });
export const warn = (check: string, says: string, todo: string): Finding => ({
  check,
  state: "warn",
  says,
  todo,
});
export const fail = (check: string, says: string, todo: string): Finding => ({
  check,
  state: "fail",
  says,
  todo,
});
