import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import Database from "better-sqlite3";
import { wallClock } from "../../shared/clock.ts";
import { type Config, keysFile } from "../../shared/config.ts";
import { generationFile, servingGeneration } from "../../shared/generation.ts";
import { createPrivately } from "../../shared/sqlite.ts";
import { syncPath } from "../../shared/sync-path.ts";
import { DATABASE_VERSION } from "../../shared/view/row.ts";
import { webhooksFile } from "../publish/webhooks/endpoints.ts";
import { partitionName } from "../source/source.ts";
import { openStoreToRead } from "../store/store.ts";
import { type BackupFile, type Manifest, manifestFile, sha256Of } from "./manifest.ts";

/**
 * Copies the serving views, the keys and the endpoints into a folder of its own, beside whoever reads and writes them: each
 * file is one moment's state (a read snapshot), without what was erased from it. What can be folded again is among it only
 * because a restore is faster than a rebuild; what can't are keys, endpoints, and discarded dead letters. Log files are not
 * copied: they are their own backup's concern.
 * @param folder is made, its owner's alone; must not be there
 * @returns what the backup holds
 * @throws Error where the folder is there, or something can't be read or written: then nothing is left of it
 */
export async function backup(config: Config, folder: string): Promise<Manifest> {
  if (existsSync(folder)) throw new Error(`${folder} is there already; name a new folder`);
  const { databaseDir } = config;
  const making = `${resolve(folder)}.partial`;
  const generation = servingGeneration(databaseDir);
  const views = generationFile(databaseDir, generation);
  // Says what is wrong with the database before anything is made.
  openStoreToRead(config).close();
  rmSync(making, { recursive: true, force: true });
  mkdirSync(making, { recursive: true, mode: 0o700 });
  try {
    const sources = [views, keysFile(config), webhooksFile(databaseDir)].filter((file) => existsSync(file));
    const files: BackupFile[] = [];
    for (const source of sources) files.push(await copyDatabase(source, making));
    const manifest: Manifest = { ...factsOf(join(making, basename(views))), generation, files };
    writeFileSync(manifestFile(making), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600 });
    syncPath(manifestFile(making));
    syncPath(making);
    renameSync(making, folder);
    syncPath(join(resolve(folder), ".."));
    return manifest;
  } catch (error) {
    rmSync(making, { recursive: true, force: true });
    throw error;
  }
}

/** Copies what a database holds at one moment, and nothing of its free pages. */
async function copyDatabase(source: string, folder: string): Promise<BackupFile> {
  const name = basename(source);
  const target = join(folder, name);
  createPrivately(target);
  const db = new Database(source, { readonly: true, fileMustExist: true, timeout: 5_000 });
  try {
    db.prepare("VACUUM INTO ?").run(target);
  } finally {
    db.close();
  }
  syncPath(target);
  return { name, bytes: statSync(target).size, sha256: await sha256Of(target) };
}

/** What the copy says of itself, which may be a moment younger than what was looked at before. */
function factsOf(file: string): Omit<Manifest, "generation" | "files"> {
  const db = new Database(file, { readonly: true });
  try {
    const check = db.pragma("quick_check", { simple: true });
    if (check !== "ok") throw new Error(`the copy of the views is damaged (${check}); is the disk sound?`);
    const positions = db
      .prepare<[], { topic: string; partition: number; nextOffset: number }>(
        'SELECT topic, "partition", next_offset AS nextOffset FROM position ORDER BY topic, "partition"',
      )
      .all();
    const foldVersion = db
      .prepare<[], string>("SELECT value FROM meta WHERE name = 'fold_version'")
      .pluck()
      .get();
    const views =
      db.prepare<[], number>("SELECT count(*) FROM lead_view WHERE body IS NOT NULL").pluck().get() ?? 0;
    return {
      format: 1,
      madeAt: new Date(wallClock()).toISOString(),
      schemaVersion: DATABASE_VERSION,
      foldVersion: foldVersion ?? null,
      views,
      positions: Object.fromEntries(positions.map((one) => [partitionName(one), one.nextOffset])),
    };
  } finally {
    db.close();
  }
}
