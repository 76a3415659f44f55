import { existsSync, mkdirSync } from "node:fs";
import type { Command } from "commander";
import { wallClock } from "../../shared/clock.ts";
import { does, type Outcome } from "../../shared/command-line/command.ts";
import { commandSettings } from "../../shared/command-line/settings.ts";
import { table } from "../../shared/command-line/terminal.ts";
import { futureTime, text, time } from "../../shared/command-line/values.ts";
import {
  type KeyChange,
  listKeys,
  type NewKey,
  newKey,
  openKeys,
  revocation,
  rotation,
  type StoredKey,
} from "../../shared/keys.ts";
import type { Connection } from "../../shared/sqlite.ts";

/** Hexadecimal digits of a hash that are shown. */
const SHOWN = 12;
const DAY_MS = 86_400_000;
const KEEP_IT = "Keep it: only its hash is stored, so it can't be shown again.";
const EXPIRES = "when it ends: from now on (90d, 12h, 30m), or a date";

export function register(command: Command): void {
  does<{ workspace: string; name: string; expires?: number }>(
    command
      .command("create")
      .description("Makes a key and prints it, once.")
      .requiredOption("--workspace <id>", "the workspace whose leads it opens", text)
      .option("--name <name>", "what you know it by", text, "unnamed")
      .option("--expires <time>", EXPIRES, futureTime),
    {
      example: "keys create --workspace ws-123 --expires 90d",
      run: ({
        workspace,
        name,
        expires = null,
      }: {
        workspace: string;
        name: string;
        expires?: number | null;
      }) => change(() => newKey(workspace, name, expires)).then(told),
    },
  );
  does(command.command("list").description("Lists the keys, by the beginnings of their hashes."), {
    example: "keys list",
    run: () => known().then(list),
  });
  does<{ hash: string }>(
    command
      .command("revoke")
      .description("Ends a key, for good: within a second, in every process of the API, on every node.")
      .requiredOption("--hash <prefix>", "the beginning of its hash, as the list shows it", text),
    {
      example: "keys revoke --hash 3f9a1c",
      async run({ hash }) {
        await change((db) => ({ changes: revocation(db, hash) }));
        return { json: { revoked: hash }, lines: ["revoked"] };
      },
    },
  );
  does<{ hash: string; grace: number; expires?: number }>(
    command
      .command("rotate")
      .description("Makes another key for the same workspace; the old one is good until the grace ends.")
      .requiredOption("--hash <prefix>", "the beginning of the old one's hash", text)
      .option(
        "--grace <time>",
        "how long the old one is good (30m, 24h, 7d); a day where it is not given",
        time,
      )
      .option("--expires <time>", EXPIRES, futureTime),
    {
      example: "keys rotate --hash 3f9a1c --grace 7d",
      run: ({
        hash,
        grace = wallClock() + DAY_MS,
        expires = null,
      }: {
        hash: string;
        grace?: number;
        expires?: number | null;
      }) => change((db) => rotation(db, hash, { oldExpiresAt: grace, newExpiresAt: expires })).then(told),
    },
  );
}

/** Changes keys here, and on every other node where there is Kafka (rule: keys everywhere). */
async function change<T extends { readonly changes: readonly KeyChange[] }>(
  make: (db: Connection) => T,
): Promise<T> {
  const config = await commandSettings();
  mkdirSync(config.databaseDir, { recursive: true, mode: 0o700 });
  const [{ changeKeys }, { createLog }] = await Promise.all([
    import("./change-keys.ts"),
    import("../../shared/log.ts"),
  ]);
  return changeKeys(config, createLog("projector", "silent"), make);
}

/** The keys that this node knows of; looking makes no file. */
async function known(): Promise<StoredKey[]> {
  const config = await commandSettings();
  const { keysFile } = await import("../../shared/config.ts");
  const db = openKeys(existsSync(keysFile(config)) ? keysFile(config) : ":memory:");
  try {
    return listKeys(db);
  } finally {
    db.close();
  }
}

const told = ({ key }: NewKey): Outcome => ({ json: { key }, lines: [key], note: KEEP_IT });

function list(keys: readonly StoredKey[]): Outcome {
  const all = keys.map(({ hash, workspaceId, name, expiresAt }) => ({
    hash: hash.toString("hex").slice(0, SHOWN),
    workspace: workspaceId,
    name,
    expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
    expired: expiresAt !== null && expiresAt <= wallClock(),
  }));
  const rows = all.map(({ hash, workspace, name, expiresAt, expired }) => [
    hash,
    workspace,
    name,
    expiresAt === null ? "never expires" : `${expired ? "expired" : "expires"} ${expiresAt}`,
  ]);
  return {
    json: { keys: all },
    lines: table(
      ["hash", "workspace", "name", "expiry"],
      rows,
      "There are no keys; npx lead-view keys create --workspace W makes one.",
    ),
  };
}
