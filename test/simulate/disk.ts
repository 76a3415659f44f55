import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { basename, join } from "node:path";
import type Database from "./edges/sqlite.ts";
import { forgetFiles, openConnections, writesFile } from "./edges/sqlite.ts";
import { type Actor, currentActor, currentMachine, Killed } from "./machine.ts";
import { forgetLogs, losable, noteAllSynced, noteSynced } from "./write-ahead-logs.ts";

// What becomes of files where a process dies, the power fails, or a folder is restored.

/** Has every change of the folders made by simulated processes counted as an effect, before which they can die. */
export function watchFolders(): void {
  const names = ["renameSync", "rmSync", "writeSync", "openSync", "mkdirSync", "unlinkSync"] as const;
  for (const name of names) {
    const real = fs[name] as (...args: unknown[]) => unknown;
    (fs as unknown as Record<string, unknown>)[name] = (...args: unknown[]) => {
      const actor = currentActor();
      // What is removed, or is there already, needs no room.
      const needsNone =
        name === "rmSync" || name === "unlinkSync" || (name === "openSync" && fs.existsSync(String(args[0])));
      if (actor !== undefined && needsNone && args[1] !== "r") currentMachine().effect();
      else if (actor !== undefined && !needsNone) writesFile(String(args[0]));
      else if (actor?.alive === false) throw new Killed();
      return real(...args);
    };
  }
  syncBuiltinESMExports();
}

/** Closes what dead processes held, as the system does: nothing is moved out of a write-ahead log by that. */
export function bury(dead: ReadonlySet<Actor>): void {
  const theirs = [...openConnections].filter(({ actor }) => actor !== undefined && dead.has(actor));
  if (theirs.length === 0) return;
  const held = new Set([...openConnections].filter((one) => !theirs.includes(one)).flatMap(filesOf));
  const lost = new Set(theirs.flatMap(filesOf).filter((file) => !held.has(file)));
  for (const file of lost) noteSynced(file);
  const before = [...lost].flatMap((file) => copyOf(file));
  for (const connection of theirs) connection.bury();
  for (const { file, content, log } of before) {
    fs.rmSync(`${file}-shm`, { force: true });
    fs.writeFileSync(file, content);
    fs.writeFileSync(`${file}-wal`, log);
  }
}

const filesOf = ({ name, attached }: Database): string[] => [name, ...attached];

/** A database whose last connection would move its log into it by being closed. */
function copyOf(file: string): { file: string; content: Buffer; log: Buffer }[] {
  if (!((fs.statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) || !fs.existsSync(file))
    return [];
  return [{ file, content: fs.readFileSync(file), log: fs.readFileSync(`${file}-wal`) }];
}

/** Chooses, for each database in a folder, how much of its newest commits a power cut takes. To be called before all die. */
export function drawPowerCut(folder: string): () => void {
  const { random } = currentMachine();
  const cuts = new Map<string, number>();
  for (const name of fs.readdirSync(folder).sort()) {
    if (!name.endsWith(".sqlite")) continue;
    const file = join(folder, name);
    const ends = losable(file);
    const cut = ends[random.integer(0, Math.max(0, ends.length - 1))];
    if (cut !== undefined && random.chance(0.7)) cuts.set(file, cut);
  }
  return () => {
    for (const [file, bytes] of cuts) {
      const size = fs.statSync(`${file}-wal`, { throwIfNoEntry: false })?.size;
      if (size !== undefined && size > bytes) fs.truncateSync(`${file}-wal`, bytes);
    }
  };
}

/** All files of a folder as they are now. */
export type FolderCopy = ReadonlyMap<string, Buffer>;

/** A copy of a folder, taken while nothing is in the middle of a commit; what others may not copy is left out. */
export function copyFolder(folder: string): FolderCopy {
  const copied = fs
    .readdirSync(folder)
    .filter((name) => !name.endsWith("-shm") && name !== "owner.lock")
    .sort();
  return new Map(copied.map((name) => [name, fs.readFileSync(join(folder, name))]));
}

/** Puts a copy in the place of what is there. */
export function restoreFolder(folder: string, copy: FolderCopy): void {
  for (const name of fs.readdirSync(folder)) fs.rmSync(join(folder, name), { force: true });
  for (const [name, content] of copy) fs.writeFileSync(join(folder, name), content);
  for (const name of copy.keys()) if (name.endsWith(".sqlite")) noteAllSynced(join(folder, name));
}

/** The files that hold a text. */
export const filesWith = (folder: string, text: string): string[] =>
  fs.readdirSync(folder).filter((name) => fs.readFileSync(join(folder, name)).includes(text));

/** Bytes of each file. */
export const sizesOf = (folder: string): ReadonlyMap<string, number> =>
  new Map(fs.readdirSync(folder).map((name) => [basename(name), fs.statSync(join(folder, name)).size]));

export function closeAll(): void {
  for (const connection of [...openConnections]) connection.bury();
  forgetFiles();
  forgetLogs();
}
