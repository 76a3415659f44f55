import { existsSync } from "node:fs";
import { controlFile } from "../../shared/control.ts";
import { openReader } from "../../shared/sqlite.ts";
import type { Request } from "./requests.ts";

const SHOWN = 20;

/** A request without its result, which may hold a secret. */
export type ShownRequest = Omit<Request, "result" | "arguments">;

/** What the owner of a folder was asked lately, the latest first. */
export function recentRequests(databaseDir: string): ShownRequest[] {
  const file = controlFile(databaseDir);
  if (!existsSync(file)) return [];
  const db = openReader(file);
  try {
    return db
      .prepare<[number], ShownRequest>(
        `SELECT id, kind, asked_by AS askedBy, asked_at AS askedAt, state, progress, error, cancel
         FROM request ORDER BY id DESC LIMIT ?`,
      )
      .all(SHOWN);
  } finally {
    db.close();
  }
}
