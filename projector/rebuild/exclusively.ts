import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

/** Another rebuild, or switch, is at work. */
export class Busy extends Error {
  override readonly name = "Busy";
}

/**
 * Lets one process at a time rebuild or switch.
 * @throws Busy where another one is at it
 */
export async function exclusively<T>(databaseDir: string, work: () => Promise<T>): Promise<T> {
  const lock = join(databaseDir, "rebuild.lock");
  for (;;) {
    try {
      const file = openSync(lock, "wx");
      try {
        writeSync(file, String(process.pid));
      } catch (error) {
        // A full disk: a lock that says nothing must not stand in the next one's way.
        rmSync(lock, { force: true });
        throw error;
      } finally {
        closeSync(file);
      }
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const pid = Number(readFileSync(lock, "utf8"));
      if (pid > 0 && isAlive(pid))
        throw new Busy(`another rebuild is running (process ${pid}); wait for it or stop it`);
      // What a killed one left behind.
      rmSync(lock, { force: true });
    }
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** True where a process of this number runs. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
