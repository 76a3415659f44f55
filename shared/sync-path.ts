import { closeSync, fsyncSync, openSync } from "node:fs";

/**
 * Has what was written into a file, or the names in a folder, on the disk when it returns. No database that this process has
 * open: closing any descriptor of a file drops every lock that the process has on it (POSIX).
 */
export function syncPath(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
