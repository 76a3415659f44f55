import { existsSync } from "node:fs";
import {
  type Endpoint,
  openEndpointsToRead,
  webhooksFile,
} from "../../projector/publish/webhooks/endpoints.ts";
import type { Position } from "../../projector/source/source.ts";
import { openStoreToRead, type Store } from "../../projector/store/store.ts";
import { controlFile } from "../../shared/control.ts";
import { viewFile } from "../../shared/generation.ts";
import { type Connection, openReader } from "../../shared/sqlite.ts";
import { FOLD_VERSION } from "./edges/fold-version.ts";
import type { Simulation } from "./simulation.ts";

/** A row of `lead_view`, as the files have it. */
export interface StoredView {
  readonly leadId: string;
  readonly workspaceId: string;
  readonly number: number;
  readonly body: string | null;
}

/** The serving database as a bystander sees it. */
export interface Inspection {
  readonly store: Store;
  positions(): readonly Position[];
  views(): StoredView[];
  deadLetters(): string[];
  endpoints(): Endpoint[];
}

/** Looks into the serving files. @returns undefined where they can't be read now */
export function inspect<T>(simulation: Simulation, look: (inspection: Inspection) => T): T | undefined {
  const { config, folder } = simulation;
  let store: Store;
  try {
    store = openStoreToRead(config);
  } catch {
    return undefined;
  }
  try {
    return look({
      store,
      positions: () => store.positions.all(),
      views: () =>
        store.db
          .prepare<[], { leadId: string; workspaceId: string; number: number; body: Buffer | null }>(
            "SELECT lead_id AS leadId, workspace_id AS workspaceId, number, body FROM lead_view ORDER BY lead_id",
          )
          .all()
          .map((row) => ({ ...row, body: row.body === null ? null : row.body.toString("utf8") })),
      deadLetters: () =>
        store.db
          .prepare<[], string>(
            `SELECT topic || '/' || "partition" || '/' || "offset" FROM dead_letter ORDER BY 1`,
          )
          .pluck()
          .all(),
      endpoints: () => readEndpoints(folder),
    });
  } finally {
    store.close();
  }
}

/** True where not all of the serving views are by the rules of now. */
export const isByOtherRules = (simulation: Simulation): boolean =>
  inspect(simulation, ({ store }) => store.meta.get("fold_version")) !== String(FOLD_VERSION);

type Folded = Pick<Position, "topic" | "partition" | "nextOffset">;

/** How far the serving database was folded; undefined where it can't be read now. */
export const positionsOf = (simulation: Simulation): Folded[] | undefined =>
  select(simulation, (db) =>
    db.prepare<[], Folded>('SELECT topic, "partition", next_offset AS nextOffset FROM position').all(),
  );

/** The number of each lead's latest change; undefined where they can't be read now. */
export const numbersOf = (
  simulation: Simulation,
): { readonly leadId: string; readonly workspaceId: string; readonly number: number }[] | undefined =>
  select(simulation, (db) =>
    db
      .prepare<[], { leadId: string; workspaceId: string; number: number }>(
        "SELECT lead_id AS leadId, workspace_id AS workspaceId, number FROM lead_view WHERE body IS NOT NULL",
      )
      .all(),
  );

function select<T>({ config }: Simulation, read: (db: Connection) => T): T | undefined {
  let db: Connection;
  try {
    db = openReader(viewFile(config));
  } catch {
    return undefined;
  }
  try {
    return read(db);
  } catch {
    return undefined;
  } finally {
    db.close();
  }
}

function readEndpoints(folder: string): Endpoint[] {
  const file = webhooksFile(folder);
  if (!existsSync(file)) return [];
  const endpoints = openEndpointsToRead(file);
  try {
    return endpoints.all();
  } finally {
    endpoints.close();
  }
}

/** How many requests wait or are carried out. */
export function openRequests({ folder }: Simulation): number {
  if (!existsSync(controlFile(folder))) return 0;
  const db = openReader(controlFile(folder));
  try {
    const count = "SELECT count(*) FROM request WHERE state IN ('waiting', 'running')";
    return db.prepare<[], number>(count).pluck().get() as number;
  } catch {
    return 0;
  } finally {
    db.close();
  }
}
