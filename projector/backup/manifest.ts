import { createHash } from "node:crypto";
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

/** What a backup holds, in `backup.json` beside its files; written last, so that a folder without it is none. */
export interface Manifest {
  readonly format: 1;
  /** ISO-8601. */
  readonly madeAt: string;
  /** The generation that served. */
  readonly generation: number;
  readonly schemaVersion: number;
  readonly foldVersion: string | null;
  readonly views: number;
  /** Where the views stand in the log, by `topic/partition`: the offset of the next record. */
  readonly positions: Readonly<Record<string, number>>;
  readonly files: readonly BackupFile[];
}

export interface BackupFile {
  readonly name: string;
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

export const manifestFile = (folder: string): string => join(folder, "backup.json");

export async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

/**
 * Reads what a backup holds, and checks that its files are what was written.
 * @throws Error where the folder is no backup, or one of another format, or damaged
 */
export async function readBackup(folder: string): Promise<Manifest> {
  const file = manifestFile(folder);
  if (!existsSync(file))
    throw new Error(
      `${folder} is no backup: there is no backup.json in it (npx lead-view backup --out FOLDER makes one)`,
    );
  let manifest: Manifest;
  try {
    manifest = JSON.parse(readFileSync(file, "utf8")) as Manifest;
  } catch {
    throw new Error(`${file} can't be read: the backup is damaged; take another one`);
  }
  if (manifest.format !== 1)
    throw new Error(
      `${file}: this program can't read backups of format ${manifest.format}; run the program that made it`,
    );
  for (const { name, sha256 } of manifest.files) {
    if (!/^[\w.]+$/.test(name))
      throw new Error(`${file} names a file "${name}": the backup is damaged; take another one`);
    const path = join(folder, name);
    if (!existsSync(path) || (await sha256Of(path)) !== sha256)
      throw new Error(`${path} is not what was written: the backup is damaged; take another one`);
  }
  return manifest;
}
