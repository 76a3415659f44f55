import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { generationFile, serveGeneration, servingGeneration, viewFile } from "../../shared/generation.ts";
import { openReader } from "../../shared/sqlite.ts";
import type { Decode } from "../decode/decode.ts";
import { commitPending } from "../projection/commit.ts";
import { loadLead } from "../projection/pending-leads.ts";
import type { Source } from "../source/source.ts";
import { openStore } from "../store/store.ts";
import { follow, type Growing, removeDatabase } from "./build-generation.ts";
import { createReconciler } from "./compare.ts";

export interface Generation {
  readonly number: number;
  readonly serving: boolean;
  readonly bytes: number;
  readonly views: number;
}

export function listGenerations(databaseDir: string): Generation[] {
  const serving = servingGeneration(databaseDir);
  return readdirSync(databaseDir)
    .flatMap((name) => /^lead_view\.(\d+)\.sqlite$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b)
    .map((number) => {
      const file = generationFile(databaseDir, number);
      const db = openReader(file);
      const views = db.prepare<[], number>("SELECT count(*) FROM lead_view").pluck().get() as number;
      db.close();
      return { number, serving: number === serving, bytes: statSync(file).size, views };
    });
}

/** The number of the next generation: above all that are there. */
export const nextGeneration = (databaseDir: string): number =>
  Math.max(servingGeneration(databaseDir), ...listGenerations(databaseDir).map(({ number }) => number)) + 1;

/** @throws Error for the serving one, and for one that is not there */
export function removeGeneration(databaseDir: string, number: number): void {
  const found = listGenerations(databaseDir).find((generation) => generation.number === number);
  if (!found) throw new Error(`there is no generation ${number}`);
  if (found.serving) throw new Error(`generation ${number} serves; switch to another one first`);
  removeDatabase(generationFile(databaseDir, number));
}

/** Erases leads in the generations that are kept too, with what other leads' views say of them. */
export function eraseInKept(databaseDir: string, leadIds: readonly string[]): void {
  for (const { number, serving } of listGenerations(databaseDir)) {
    if (serving) continue;
    const store = openStore(generationFile(databaseDir, number));
    const leads = leadIds.map((leadId) => ({ ...loadLead(store, leadId), erased: "now" as const }));
    store.positions.revive();
    commitPending(store, {
      turn: 0,
      assemble: true,
      leads,
      deadLetters: [],
      failedAt: new Date(0),
      positions: [],
    });
    store.positions.retire();
    store.db.pragma("wal_checkpoint(TRUNCATE)");
    store.close();
  }
}

/** Where a generation is made before it is finished. */
export const buildingFile = (databaseDir: string): string => join(databaseDir, "lead_view.building.sqlite");

/**
 * Makes a caught-up generation the serving one. The serving database is locked for the moment of the exchange: readers
 * go on, the projector's commit waits and then finds the new generation.
 * @param place gives the closed database its final name, where it has another one yet
 */
export async function switchTo(
  databaseDir: string,
  number: number,
  growing: Growing,
  place: () => void,
): Promise<void> {
  const servingFile = viewFile({ databaseDir });
  const serving = openStore(servingFile);
  try {
    await growing.catchUp();
    const reconciler = createReconciler(growing.store.db, servingFile);
    reconciler.reconcile();
    await serving.transactionAsync(async () => {
      await growing.catchUp();
      reconciler.reconcile();
      reconciler.takeOverChanges();
      reconciler.close();
      await growing.close();
      place();
      // The old generation's projector finds itself fenced, and looks for the one that serves: a view that it still
      // wrote would have a version that readers then see go back.
      serving.positions.retire();
      serveGeneration(databaseDir, number);
    });
  } finally {
    serving.close();
  }
}

/** Switches to a generation that is there, such as the one before a rebuild, after it has caught up. */
export async function switchBack(
  databaseDir: string,
  number: number,
  source: Source,
  decode: Decode,
): Promise<void> {
  const found = listGenerations(databaseDir).find((generation) => generation.number === number);
  if (!found) throw new Error(`there is no generation ${number}`);
  if (found.serving) throw new Error(`generation ${number} serves already`);
  const serving = openStore(viewFile({ databaseDir }));
  const store = openStore(generationFile(databaseDir, number));
  store.positions.revive();
  const growing = follow(store, serving, source, decode);
  try {
    await switchTo(databaseDir, number, growing, () => undefined);
  } catch (error) {
    await growing.close().catch(() => undefined);
    throw error;
  } finally {
    serving.close();
  }
}
