import { existsSync } from "node:fs";
import { controlFile, type OwnerStatus, SELECT_OWNER } from "../../shared/control.ts";
import { openReader } from "../../shared/sqlite.ts";
import { aboutRequest } from "./about-request.ts";
import type { Request } from "./requests.ts";

const SHOWN = 20;

/** A request without its result, which may hold a secret, and with what it is about in place of its arguments. */
export interface ShownRequest extends Omit<Request, "result" | "arguments"> {
  readonly about: string;
}

/** What the control database of a folder says. */
export interface ControlState {
  /** What the owner says of itself; undefined where there was none yet. */
  readonly owner: OwnerStatus | undefined;
  /** What the owner was asked lately, the latest first; what runs or waits is among them. */
  readonly requests: readonly ShownRequest[];
}

/** Reads what the owner of a folder says of itself, and what it was asked lately. */
export function readControl(databaseDir: string): ControlState {
  const file = controlFile(databaseDir);
  if (!existsSync(file)) return { owner: undefined, requests: [] };
  const db = openReader(file);
  try {
    const columns =
      "id, kind, arguments, asked_by AS askedBy, asked_at AS askedAt, state, progress, error, cancel";
    const rows = db
      .prepare<[number], Omit<Request, "result">>(
        `SELECT ${columns} FROM request
         WHERE state IN ('running', 'waiting') OR id > (SELECT max(id) FROM request) - ? ORDER BY id DESC`,
      )
      .all(SHOWN);
    const requests = rows.map(({ arguments: given, ...request }) => ({
      ...request,
      about: aboutRequest(given),
    }));
    return { owner: db.prepare<[], OwnerStatus>(SELECT_OWNER).get(), requests };
  } finally {
    db.close();
  }
}
