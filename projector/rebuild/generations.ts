import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { generationFile, servingGeneration } from "../../shared/generation.ts";
import { isOpen, openReader } from "../../shared/sqlite.ts";
import { DATABASE_VERSION } from "../../shared/view/row.ts";

/** A generation of the views: a database file of its own. */
export interface Generation {
  readonly number: number;
  readonly serving: boolean;
  /** Of the file and its write-ahead log. */
  readonly bytes: number;
  /** Null where this program can't read it: it is of another schema version. */
  readonly views: number | null;
  readonly schemaVersion: number;
}

const SUFFIXES = ["", "-wal", "-shm", "-journal"] as const;

/** The numbers of the generations in a folder, ascending. */
export const generationNumbers = (databaseDir: string): number[] =>
  (existsSync(databaseDir) ? readdirSync(databaseDir) : [])
    .flatMap((name) => /^lead_view\.([1-9]\d{0,8})\.sqlite$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);

export function listGenerations(databaseDir: string): Generation[] {
  const serving = servingGeneration(databaseDir);
  return generationNumbers(databaseDir).map((number) => {
    const file = generationFile(databaseDir, number);
    const db = openReader(file);
    try {
      const schemaVersion = Number(db.pragma("user_version", { simple: true }));
      const count = "SELECT count(*) FROM lead_view WHERE body IS NOT NULL";
      const views =
        schemaVersion === DATABASE_VERSION ? (db.prepare<[], number>(count).pluck().get() as number) : null;
      return { number, serving: number === serving, bytes: bytesOf(file), views, schemaVersion };
    } finally {
      db.close();
    }
  });
}

const bytesOf = (file: string): number =>
  SUFFIXES.reduce((sum, suffix) => sum + (statSync(file + suffix, { throwIfNoEntry: false })?.size ?? 0), 0);

/** The number of the next generation: above all that anything is there of. */
export function nextGeneration(databaseDir: string): number {
  const numbers = readdirSync(databaseDir).map((name) =>
    Number(/^lead_view\.(\d+)\.sqlite/.exec(name)?.[1] ?? 0),
  );
  return Math.max(servingGeneration(databaseDir), ...numbers) + 1;
}

/** The generations that are kept beside the serving one. */
export const keptGenerations = (databaseDir: string): number[] => {
  const serving = servingGeneration(databaseDir);
  return generationNumbers(databaseDir).filter((number) => number !== serving);
};

/** @throws Error where there is none, naming those that there are */
export function requireGeneration(databaseDir: string, number: number): void {
  const numbers = generationNumbers(databaseDir);
  if (!numbers.includes(number))
    throw new Error(`there is no generation ${number}; there are: ${numbers.join(", ") || "none"}`);
}

/** Removes a database with its write-ahead log. */
export function removeDatabase(file: string): void {
  for (const suffix of SUFFIXES) rmSync(file + suffix, { force: true });
}

/** Where a generation is made before it is finished. */
export const buildingFile = (databaseDir: string): string => join(databaseDir, "lead_view.building.sqlite");

/** Where `verify` folds what it compares with. */
export const verifyFile = (databaseDir: string): string =>
  join(databaseDir, `lead_view.verify-${process.pid}.sqlite`);

/**
 * Removes what a build, a check or a removal left behind whose process is gone. Only the owner may, where nothing is built. A
 * log without its database holds what may be erased since, and would be taken for the log of the next database of that name.
 */
export function removeLeftovers(databaseDir: string): void {
  removeLeftChecks(databaseDir);
  for (const name of readdirSync(databaseDir)) {
    const database = /^(.+\.sqlite)-(?:wal|shm|journal)$/.exec(name)?.[1];
    if (
      name.startsWith("lead_view.building.sqlite") ||
      (database !== undefined && !existsSync(join(databaseDir, database)))
    )
      rmSync(join(databaseDir, name), { force: true });
  }
}

/**
 * Removes what checks left behind that were killed: it holds what may be erased since. One at work has its database open,
 * and no slice of it by a name for longer than a moment.
 */
export function removeLeftChecks(databaseDir: string): void {
  for (const name of readdirSync(databaseDir)) {
    const file = join(databaseDir, name);
    if (/^lead_view\.verify-\d+\.sqlite$/.test(name) && !isOpen(file)) removeDatabase(file);
    if (/^lead_view\.verify-\d+\.sqlite-slice-/.test(name)) rmSync(file, { force: true });
  }
}
