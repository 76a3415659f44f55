import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import type { Logger } from "../shared/log.ts";

/** Files that a process needs beside its connections: databases, the log, the event loop's own. */
const OTHER_FILES = 40;
const FEWEST = 10;
const SAY_MS = 10_000;

/**
 * Refuses connections before the limit of open files does, which the system would do without a word, and says so.
 * Where the limit can't be read there is none of ours.
 */
export function limitConnections(server: Server, log: Logger): void {
  const most = openFileLimit();
  if (most === undefined) return;
  server.maxConnections = Math.max(FEWEST, most - OTHER_FILES);
  let refused = 0;
  let saidAt = Number.NEGATIVE_INFINITY;
  server.on("drop", () => {
    refused++;
    if (performance.now() - saidAt < SAY_MS) return;
    saidAt = performance.now();
    log.error(
      { refused, most: server.maxConnections },
      "connections refused: allow more open files (ulimit -n)",
    );
  });
}

function openFileLimit(): number | undefined {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}
