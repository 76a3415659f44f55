import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { basename, join } from "node:path";
import type { Config } from "../../shared/config.ts";
import { generationFile, serveGeneration } from "../../shared/generation.ts";
import type { Logger } from "../../shared/log.ts";
import { syncPath } from "../../shared/sync-path.ts";
import { DATABASE_VERSION } from "../../shared/view/row.ts";
import { createDecoder } from "../decode/decode.ts";
import { tryToOwn } from "../owner/lock.ts";
import { catchUp } from "../rebuild/build.ts";
import { buildingFile, removeDatabase } from "../rebuild/generations.ts";
import { openHistorySource } from "../source/open-source.ts";
import { openStore } from "../store/store.ts";
import { readBackup } from "./manifest.ts";

/** What a restore made. */
export interface Restored {
  readonly generation: number;
  readonly views: number;
  /** Records that the log had behind the backup, and are folded. */
  readonly folded: number;
  readonly madeAt: string;
}

/** Files that a restore would be in the way of, or overwrite. */
const STATE = /^(lead_view\.\d+\.sqlite|lead_view\.serving|keys\.sqlite|webhooks\.sqlite)$/;

/**
 * Puts a backup into a folder that holds no views, keys or endpoints. Before anything of it is served, all is folded that
 * the log holds behind it: a lead that was erased since is erased again first. The folder hands nothing on until it is told
 * to (rule: a restored folder is silent).
 * @throws Error where the backup is damaged, the folder is in use or not empty, or the log does not go on where the backup
 *   ends: then nothing is served from the folder that was not before
 */
export async function restore(config: Config, folder: string, log: Logger): Promise<Restored> {
  const { databaseDir } = config;
  const manifest = await readBackup(folder);
  const { generation, schemaVersion, files, madeAt } = manifest;
  if (schemaVersion !== DATABASE_VERSION)
    throw new Error(
      `the backup is of schema version ${schemaVersion}, this program's is ${DATABASE_VERSION}: run the program that made it, ` +
        "or fold the history again (npx lead-view rebuild)",
    );
  mkdirSync(databaseDir, { recursive: true, mode: 0o700 });
  const owned = tryToOwn(databaseDir);
  if (!owned)
    throw new Error(
      `a projector is at work in ${databaseDir}; stop it, or restore into another DATABASE_DIR`,
    );
  const building = buildingFile(databaseDir);
  try {
    const there = readdirSync(databaseDir).filter((name) => STATE.test(name));
    if (there.length > 0)
      throw new Error(
        `${databaseDir} holds ${there.join(", ")}: restore into an empty DATABASE_DIR, or move these away with their -wal and -shm files`,
      );
    const views = basename(generationFile(databaseDir, generation));
    copyPrivately(join(folder, views), building);
    const caughtUp = await foldTheRest(config, building, log);
    for (const { name } of files) {
      if (name !== views) copyPrivately(join(folder, name), join(databaseDir, name));
    }
    syncPath(building);
    renameSync(building, generationFile(databaseDir, generation));
    serveGeneration(databaseDir, generation);
    return { generation, madeAt, ...caughtUp };
  } finally {
    removeDatabase(building);
    owned.release();
  }
}

/** Folds what the log holds behind the copy; nobody reads it yet. */
async function foldTheRest(
  config: Config,
  file: string,
  log: Logger,
): Promise<Pick<Restored, "views" | "folded">> {
  const store = openStore(file, { mustExist: true });
  try {
    const offsets = () => store.positions.all().reduce((sum, { nextOffset }) => sum + nextOffset, 0);
    store.meta.set("held_back", "restored");
    // Of another folder's generations nothing is to be erased here.
    for (const { generation } of store.erased.duties(Number.MAX_SAFE_INTEGER))
      store.erased.endDuties(generation);
    const before = offsets();
    await catchUp(store, {
      source: openHistorySource(config, log),
      decode: createDecoder(config),
      signal: new AbortController().signal,
      options: { mayRepeat: true },
    });
    const found = { views: store.views.count(), folded: offsets() - before };
    store.db.pragma("wal_checkpoint(TRUNCATE)");
    return found;
  } finally {
    store.close();
  }
}

function copyPrivately(from: string, to: string): void {
  if (!existsSync(from)) throw new Error(`${from} is not there: the backup is damaged; take another one`);
  copyFileSync(from, to);
  chmodSync(to, 0o600);
  syncPath(to);
}
