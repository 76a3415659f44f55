import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { monotonic } from "../shared/clock.ts";
import type { Logger } from "../shared/log.ts";

/** Files that a process needs beside its connections: databases, the log, the event loop's own. */
const OTHER_FILES = 40;
const FEWEST = 10;
const SAY_MS = 10_000;

/** Shares a process's connections out to those who use them. */
export interface ConnectionShares {
  /**
   * Notes who uses a connection now. A key may have as many as are free beside its own: alone up to a half, with others
   * an equal part, and always one part stays free for somebody else.
   * @returns false where it has its share
   */
  take(socket: Socket, keyId: string): boolean;
  /** True where connections are few, so that idle ones are not kept. */
  areFew(): boolean;
}

interface OwnedSocket extends Socket {
  [OWNER]?: string | undefined;
}

const OWNER = Symbol("the key of the last request");

/** Without a limit of open files that is known. */
const UNLIMITED: ConnectionShares = { take: () => true, areFew: () => false };

/**
 * Refuses connections before the limit of open files does, which the system would do without a word, and says so; and
 * keeps one key from having them all.
 * @param most connections at once; undefined = no limit of ours
 */
export function shareConnections(server: Server, log: Logger, most: number | undefined): ConnectionShares {
  if (most === undefined) return UNLIMITED;
  server.maxConnections = most;
  sayRefusals(server, log, most);
  const owned = new Map<string, number>();
  let open = 0;
  const add = (keyId: string, by: number) => {
    const count = (owned.get(keyId) ?? 0) + by;
    if (count === 0) owned.delete(keyId);
    else owned.set(keyId, count);
  };
  server.on("connection", (socket: OwnedSocket) => {
    open++;
    socket.once("close", () => {
      open--;
      if (socket[OWNER] !== undefined) add(socket[OWNER], -1);
    });
  });
  return {
    take(socket: OwnedSocket, keyId) {
      const owner = socket[OWNER];
      if (owner === keyId) return true;
      if ((owned.get(keyId) ?? 0) > most - open) return false;
      if (owner !== undefined) add(owner, -1);
      socket[OWNER] = keyId;
      add(keyId, 1);
      return true;
    },
    areFew: () => open > most * FEW,
  };
}

/** Of all connections. */
const FEW = 0.75;

function sayRefusals(server: Server, log: Logger, most: number): void {
  let refused = 0;
  let saidAt = Number.NEGATIVE_INFINITY;
  server.on("drop", () => {
    refused++;
    if (monotonic() - saidAt < SAY_MS) return;
    saidAt = monotonic();
    log.error({ refused, most }, "connections refused: allow more open files (ulimit -n)");
  });
}

/** How many connections this process can have; undefined where its limit of open files can't be read. */
export function mostConnections(): number | undefined {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    return limit === undefined ? undefined : Math.max(FEWEST, Number(limit) - OTHER_FILES);
  } catch {
    return undefined;
  }
}
