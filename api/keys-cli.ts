// `npm run keys -- create --workspace W [--name N] [--expires D] | list | revoke --hash PREFIX
//   | rotate --hash PREFIX [--grace D] [--expires D]`
import { mkdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { keysFile, readConfig } from "../shared/config.ts";
import { createKey, listKeys, openKeys, revokeKey, rotateKey } from "../shared/keys.ts";
import type { Connection } from "../shared/sqlite.ts";

const USAGE = `usage: npm run keys -- create --workspace W [--name N] [--expires D]
       npm run keys -- list
       npm run keys -- revoke --hash PREFIX
       npm run keys -- rotate --hash PREFIX [--grace D] [--expires D]
D is how long from now (90d, 12h, 30m), or a date (2027-01-31). After a rotation the old key is good for --grace, a day
where it is not given.`;
const SHOWN = 12;
const UNITS: Record<string, number> = { d: 86_400_000, h: 3_600_000, m: 60_000 };

process.exitCode = main();

function main(): number {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        workspace: { type: "string" },
        name: { type: "string" },
        hash: { type: "string" },
        expires: { type: "string" },
        grace: { type: "string" },
      },
    });
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
    return (error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS") ? 2 : 1;
  }
}

interface Given {
  readonly workspace?: string | undefined;
  readonly name?: string | undefined;
  readonly hash?: string | undefined;
  readonly expires?: string | undefined;
  readonly grace?: string | undefined;
}

function run(
  db: Connection,
  command: string | undefined,
  { workspace, name = "unnamed", hash, expires, grace = "1d" }: Given,
): number {
  const newExpiresAt = expires === undefined ? null : timeOf(expires);
  if (command === "create" && workspace) {
    tell(createKey(db, workspace, name, newExpiresAt));
  } else if (command === "list") {
    for (const key of listKeys(db)) {
      console.log(
        [key.hash.toString("hex").slice(0, SHOWN), key.workspaceId, key.name, expiry(key.expiresAt)].join(
          "  ",
        ),
      );
    }
  } else if (command === "revoke" && hash) {
    revokeKey(db, hash);
    console.log("revoked");
  } else if (command === "rotate" && hash) {
    tell(rotateKey(db, hash, { oldExpiresAt: timeOf(grace), newExpiresAt }));
  } else {
    console.error(USAGE);
    return 2;
  }
  return 0;
}

function tell(key: string): void {
  console.log(key);
  console.error("Keep it: only its hash is stored, so it can't be shown again.");
}

function expiry(expiresAt: number | null): string {
  if (expiresAt === null) return "never expires";
  return `${expiresAt > Date.now() ? "expires" : "expired"} ${new Date(expiresAt).toISOString()}`;
}

/** Milliseconds since 1970 of a time from now, or of a date. @throws Error for what is neither */
function timeOf(text: string): number {
  const span = /^(\d{1,6})([dhm])$/.exec(text);
  if (span) return Date.now() + Number(span[1]) * (UNITS[span[2] as string] as number);
  const date = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(date)) throw new Error(`"${text}" is neither a time from now, such as 90d, nor a date`);
  return date;
}
