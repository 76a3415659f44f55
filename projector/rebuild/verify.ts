import type { Config } from "../../shared/config.ts";
import { createLog } from "../../shared/log.ts";
import { openStoreToRead } from "../store/store.ts";
import { behind, buildGeneration, type OnProgress } from "./build.ts";
import { removeDatabase, verifyFile } from "./generations.ts";
import { type Difference, viewDifferences } from "./view-differences.ts";

export interface Verified {
  /** Views of the fresh fold. */
  readonly views: number;
  readonly differing: number;
  readonly first: readonly Difference[];
}

/**
 * Folds the log afresh up to where the serving views stand, and compares all of them. The serving views are read from
 * one snapshot, so the projector goes on meanwhile.
 * @param archive a folder to fold first; undefined = the log alone
 * @throws Error where the log does not reach that far
 */
export async function verify(
  config: Config,
  archive: string | undefined,
  onProgress: OnProgress,
  most: number,
): Promise<Verified> {
  const file = verifyFile(config.databaseDir);
  const serving = openStoreToRead(config);
  try {
    serving.db.exec("BEGIN");
    const limit = serving.positions.all();
    const expected = limit.reduce((sum, { nextOffset }) => sum + nextOffset, 0);
    const { signal } = new AbortController();
    const log = createLog("projector", "warn");
    removeDatabase(file);
    const fresh = await buildGeneration({
      config,
      file,
      archive,
      log,
      limit,
      erased: [],
      sameLogAs: [],
      servingFile: undefined,
      expected,
      onProgress,
      signal,
    });
    try {
      const [missing] = behind(fresh.positions.all(), limit);
      if (missing) {
        const { topic, partition, nextOffset } = missing;
        throw new Error(`the log ends before offset ${nextOffset} of ${topic}/${partition}: restore it`);
      }
      const { views, count, first } = viewDifferences(fresh.db, serving.db, most);
      return { views, differing: count, first };
    } finally {
      fresh.close();
    }
  } finally {
    serving.close();
    removeDatabase(file);
  }
}
