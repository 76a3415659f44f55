import fs from "node:fs";

// How much of a database's write-ahead log a power cut may take.

const HEADER = 32;
const FRAME_HEADER = 24;
/** Where the log's header has the numbers that are new each time it is begun anew, and each of its frames has them again. */
const SALTS = { ofLog: 16, ofFrame: 8, bytes: 8 };
/** Where the log's index says how many frames are committed, and how many of them were moved into the database. */
const INDEX = { committed: 16, moved: 96, bytes: 100 };

interface Synced {
  /** The log that it is said of. */
  readonly salts: string;
  readonly frames: number;
}

/** By database. The index knows it too, but begins at 0 where it is made anew, as it is after a crash. */
const synced = new Map<string, Synced>();

export const forgetLogs = (): void => synced.clear();

/**
 * Keeps how much of the log is on the disk: what was moved into the database was synced before that. To be called wherever
 * the index may be lost.
 */
export function noteSynced(file: string): void {
  const header = readStart(`${file}-wal`, HEADER);
  if (header === undefined) return;
  const salts = header.toString("latin1", SALTS.ofLog, SALTS.ofLog + SALTS.bytes);
  const moved = readStart(`${file}-shm`, INDEX.bytes)?.readUInt32LE(INDEX.moved) ?? 0;
  const before = synced.get(file);
  synced.set(file, { salts, frames: Math.max(moved, before?.salts === salts ? before.frames : 0) });
}

/** All of the log is on the disk: somebody waited for it, or put the files there. */
export function noteAllSynced(file: string): void {
  noteSynced(file);
  const known = synced.get(file);
  if (!known) return;
  const committed = readStart(`${file}-shm`, INDEX.bytes)?.readUInt32LE(INDEX.committed);
  const frames = committed ?? framesOf(`${file}-wal`);
  synced.set(file, { ...known, frames: Math.max(known.frames, frames) });
}

/** The lengths to which a power cut may take the log: behind each commit that is not known to be on the disk. */
export function losable(file: string): number[] {
  noteSynced(file);
  const known = synced.get(file);
  const log = fs.existsSync(`${file}-wal`) ? fs.readFileSync(`${file}-wal`) : undefined;
  if (!known || !log || log.length < HEADER) return [];
  const frame = frameBytes(log);
  const ends: number[] = known.frames === 0 ? [HEADER] : [];
  for (let number = 1; HEADER + number * frame <= log.length; number++) {
    const at = HEADER + (number - 1) * frame;
    const salts = at + SALTS.ofFrame;
    if (log.toString("latin1", salts, salts + SALTS.bytes) !== known.salts) break;
    const isCommit = log.readUInt32BE(at + 4) !== 0;
    if (isCommit && number >= known.frames) ends.push(HEADER + number * frame);
  }
  return ends;
}

const frameBytes = (header: Buffer): number => FRAME_HEADER + header.readUInt32BE(8);

function framesOf(path: string): number {
  const header = readStart(path, HEADER);
  return header === undefined ? 0 : Math.floor((fs.statSync(path).size - HEADER) / frameBytes(header));
}

/** The first bytes of a file; undefined where it has fewer. */
function readStart(path: string, bytes: number): Buffer | undefined {
  if (!fs.existsSync(path)) return undefined;
  const file = fs.openSync(path, "r");
  try {
    const start = Buffer.alloc(bytes);
    return fs.readSync(file, start, 0, bytes, 0) === bytes ? start : undefined;
  } finally {
    fs.closeSync(file);
  }
}
