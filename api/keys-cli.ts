// `npm run keys -- create --workspace W [--name N] [--expires D] | list | revoke --hash PREFIX
//   | rotate --hash PREFIX [--grace D] [--expires D]`
import { mkdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { wallClock } from "../shared/clock.ts";
import { keysFile, readConfig } from "../shared/config.ts";
import {
  applyKeyChanges,
  createKey,
  listKeys,
  openKeys,
  revokeKey,
  rotation,
  type StoredKey,
} from "../shared/keys.ts";
import type { Connection } from "../shared/sqlite.ts";

const USAGE = `usage: npm run keys -- create --workspace W [--name N] [--expires D]
       npm run keys -- list
       npm run keys -- revoke --hash PREFIX
       npm run keys -- rotate --hash PREFIX [--grace D] [--expires D]
D is how long from now (90d, 12h, 30m), or a date (2027-01-31). After a rotation the old key is good for --grace, a day
where it is not given.`;
const SHOWN = 12;
const UNITS: Record<string, number> = { d: 86_400_000, h: 3_600_000, m: 60_000 };

/** What is asked for can't be meant so: the message says why. */
class UsageError extends Error {}

process.exitCode = main();

function main(): number {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        help: { type: "boolean", short: "h" },
        workspace: { type: "string" },
        name: { type: "string" },
        hash: { type: "string" },
        expires: { type: "string" },
        grace: { type: "string" },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    const config = readConfig(process.env);
    mkdirSync(config.databaseDir, { recursive: true });
    const db = openKeys(keysFile(config));
    try {
      return run(db, positionals[0], values);
    } finally {
      db.close();
    }
  } catch (error) {
    console.error((error as Error).message);
    if (error instanceof UsageError) return 2;
    if (!(error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS")) return 1;
    console.error(USAGE);
    return 2;
  }
}

interface KeysOptions {
  readonly workspace?: string | undefined;
  readonly name?: string | undefined;
  readonly hash?: string | undefined;
  readonly expires?: string | undefined;
  readonly grace?: string | undefined;
}

function run(
  db: Connection,
  command: string | undefined,
  { workspace, name = "unnamed", hash, expires, grace = "1d" }: KeysOptions,
): number {
  const newExpiresAt = expires === undefined ? null : timeOf(expires);
  if (newExpiresAt !== null && newExpiresAt <= wallClock())
    throw new UsageError(`a key that expires at ${expires} would be refused from the start`);
  if (command === "create" && workspace) {
    tell(createKey(db, workspace, name, newExpiresAt));
  } else if (command === "list") {
    list(listKeys(db));
  } else if (command === "revoke" && hash) {
    revokeKey(db, hash);
    console.log("revoked");
  } else if (command === "rotate" && hash) {
    const { key, changes } = rotation(db, hash, { oldExpiresAt: timeOf(grace), newExpiresAt });
    applyKeyChanges(db, changes);
    tell(key);
  } else {
    console.error(USAGE);
    return 2;
  }
  return 0;
}

function list(keys: readonly StoredKey[]): void {
  if (keys.length === 0) {
    console.log("no keys; npm run keys -- create --workspace W makes one");
    return;
  }
  const rows = keys.map(({ hash, workspaceId, name, expiresAt }) => [
    hash.toString("hex").slice(0, SHOWN),
    workspaceId,
    name,
    expiry(expiresAt),
  ]);
  for (const row of [["hash".padEnd(SHOWN), "workspace", "name", "expiry"], ...rows])
    console.log(row.join("  "));
}

function tell(key: string): void {
  console.log(key);
  console.error("Keep it: only its hash is stored, so it can't be shown again.");
}

function expiry(expiresAt: number | null): string {
  if (expiresAt === null) return "never expires";
  return `${expiresAt > wallClock() ? "expires" : "expired"} ${new Date(expiresAt).toISOString()}`;
}

/** Milliseconds since 1970 of a time from now, or of a date. @throws Error for what is neither */
function timeOf(text: string): number {
  const span = /^(\d{1,6})([dhm])$/.exec(text);
  if (span) return wallClock() + Number(span[1]) * (UNITS[span[2] as string] as number);
  const date = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(date))
    throw new UsageError(`"${text}" is neither a time from now, such as 90d, nor a date`);
  return date;
}
