import { existsSync } from "node:fs";
import type { Config } from "../../shared/config.ts";
import { openControl } from "../../shared/control.ts";
import { TOPICS } from "../../shared/events/catalogue.ts";
import { generationFile, serveGeneration, servingGeneration } from "../../shared/generation.ts";
import type { Logger } from "../../shared/log.ts";
import { openReader } from "../../shared/sqlite.ts";
import type { Decode } from "../decode/decode.ts";
import { createWriting } from "../projection/writing.ts";
import { behind, catchUp } from "../rebuild/build.ts";
import { generationNumbers, keptGenerations } from "../rebuild/generations.ts";
import { createKeptEraser, type KeptEraser } from "../rebuild/kept-eraser.ts";
import { beginToServe, type Compared, takeOver } from "../rebuild/reconcile.ts";
import type { BesideFold, WriteBatch } from "../rebuild/refold.ts";
import { openHistorySource } from "../source/open-source.ts";
import { type Position, partitionName, SourceError } from "../source/source.ts";
import { durably } from "../store/durably.ts";
import { createMeta } from "../store/meta.ts";
import { requireSchema, SchemaError } from "../store/migrate.ts";
import { createPositions } from "../store/positions.ts";
import { openStore, type Store } from "../store/store.ts";
import { isDamage, isPassing } from "../store/trouble.ts";
import { goOnFromReplica, isReplicaFile } from "./replica-folder.ts";
import { createRequests, type Requests } from "./requests.ts";
import { requireSameShard } from "./shard-of-database.ts";

/** Who may write into a folder, with all that only it does. */
export interface Owner extends BesideFold {
  readonly config: Config;
  readonly log: Logger;
  readonly decode: Decode;
  readonly requests: Requests;
  readonly eraser: KeptEraser;
  /** The number of the generation that serves. */
  generation(): number;
  /** The positions of the serving generation; none where it can't be read by this program. */
  positions(): readonly Position[];
  /** Does something with a kept generation of which nothing is erased meanwhile. */
  withGeneration<T>(generation: number, work: () => Promise<T>): Promise<T>;
  /** True where that is under way. */
  isInHand(generation: number): boolean;
  /** Makes a finished generation the serving one. */
  switchTo(generation: number, how: SwitchOptions): Promise<void>;
  close(): Promise<void>;
}

export interface SwitchOptions {
  /** Up to what the numbers were compared with the serving generation's already. */
  readonly compared: Compared | undefined;
  /** True where the generation may know less of the log than the serving one does. */
  readonly acceptLoss: boolean;
  /** Stops it while the log is read, which can be long; nothing is switched then. */
  readonly signal: AbortSignal;
}

/** What runs in the serving generation; undefined where a command is the owner for as long as it takes. */
export interface Fold extends BesideFold {
  /** Folds no more, with all that was folded committed or dropped; the database is closed. */
  pause(): Promise<void>;
  /** Folds on, in the generation that serves now. */
  resume(): void;
  /** False before it folds for the first time. */
  hasBegun(): boolean;
  /** True once all is folded that the log held when the serving generation began to. */
  hasFoldedWhatWas(): boolean;
}

/** Milliseconds that the fold can be held up by whoever writes into the control database. */
export const CONTROL_WAIT_MS = 50;

/** @param fold undefined where nothing is folded while this process owns the folder */
export function createOwner(
  { config, log, decode }: { readonly config: Config; readonly log: Logger; readonly decode: Decode },
  fold: Fold | undefined,
): Owner {
  const { databaseDir } = config;
  requireShardOfFolder(config);
  const control = openControl(databaseDir, { waitMs: fold ? CONTROL_WAIT_MS : undefined });
  const requests = createRequests(control);
  const eraser = createKeptEraser(log);

  /** The serving database for a command; the fold has its own open. */
  const withStore = <T>(work: (store: Store, write: WriteBatch) => T): T => {
    const file = generationFile(databaseDir, servingGeneration(databaseDir));
    if (!existsSync(file))
      throw new Error(`there is no view database in ${databaseDir}; set DATABASE_DIR to the projector's`);
    const store = openStore(file, { mustExist: true });
    try {
      return durably(store.db, () => work(store, (batch) => void createWriting(store).write(batch)));
    } finally {
      store.close();
    }
  };

  /**
   * Has the serving generation fold what the other one has folded beyond it, that nobody is passed over (rule: told again
   * before passed over). What a replica has not heard yet is mended by what the topic of views was told.
   * @returns false where it can't
   */
  const foldWhatWas = async (file: string, signal: AbortSignal): Promise<boolean> => {
    if (readPositions(file).length === 0 || isReplicaFile(file)) return true;
    let store: Store | undefined;
    try {
      store = openStore(file, { mustExist: true });
      const options = { mayRepeat: true, keptGenerations: () => keptGenerations(databaseDir) };
      await catchUp(store, { source: openHistorySource(config, log), decode, signal, options });
      return true;
    } catch (error) {
      if (signal.aborted || isPassing(error)) throw error;
      log.warn(
        { file, error: (error as Error).message },
        "the serving views can't be folded on: all views get new versions, and are told again",
      );
      return false;
    } finally {
      store?.close();
    }
  };

  const inHand = new Set<number>();
  return {
    config,
    log,
    decode,
    requests,
    eraser,
    generation: () => servingGeneration(databaseDir),
    positions: () => readPositions(generationFile(databaseDir, servingGeneration(databaseDir))),
    betweenCommits: async (work) => (fold?.hasBegun() ? fold.betweenCommits(work) : withStore(work)),
    tap: (onRecord) => (fold?.hasBegun() ? fold.tap(onRecord) : () => undefined),
    isInHand: (generation) => inHand.has(generation),
    async withGeneration(generation, work) {
      inHand.add(generation);
      try {
        await eraser.idle();
        return await work();
      } finally {
        inHand.delete(generation);
      }
    },
    async switchTo(generation, { compared, acceptLoss, signal }) {
      const hasFoldedWhatWas = fold?.hasBegun() && fold.hasFoldedWhatWas();
      await fold?.pause();
      try {
        const from = servingGeneration(databaseDir);
        const servingFile = generationFile(databaseDir, from);
        const store = openStore(generationFile(databaseDir, generation));
        try {
          const keepsNumbers = hasFoldedWhatWas || (await foldWhatWas(servingFile, signal));
          await catchUp(store, { source: openHistorySource(config, log), decode, signal });
          const serving = readPositions(servingFile);
          if (!acceptLoss) requireAsFar(store, serving);
          const kept = generationNumbers(databaseDir).filter((number) => number !== generation);
          // The pointer outlives a power cut: so does what it points to.
          durably(store.db, () => {
            if (serving.length > 0)
              takeOver(store, servingFile, compared, {
                number: generation,
                from,
                kept,
                sameLog: !acceptLoss,
                keepsNumbers,
              });
            else beginToServe(store, kept);
            if (isReplicaFile(servingFile)) goOnFromReplica(store);
          });
        } finally {
          store.close();
        }
        supersede(servingFile, generation);
        serveGeneration(databaseDir, generation);
      } finally {
        fold?.resume();
      }
    },
    async close() {
      await eraser.stop();
      control.close();
    },
  };
}

/** @throws Error where the serving views are another shard's */
function requireShardOfFolder({ databaseDir, shard }: Config): void {
  const file = generationFile(databaseDir, servingGeneration(databaseDir));
  if (!existsSync(file)) return;
  const db = openReader(file);
  try {
    requireSchema(db);
    requireSameShard({ meta: createMeta(db), positions: createPositions(db) }, shard);
  } catch (error) {
    if (!(error instanceof SchemaError || isDamage(error))) throw error;
  } finally {
    db.close();
  }
}

const EVENT_TOPICS: ReadonlySet<string> = new Set(Object.values(TOPICS));

/** The positions in a database; none where there is no such file, or this program can't read it. */
function readPositions(file: string): readonly Position[] {
  if (!existsSync(file)) return [];
  const db = openReader(file);
  try {
    requireSchema(db);
    // A replica has those of the topics that it follows besides.
    return createPositions(db)
      .all()
      .filter(({ topic }) => EVENT_TOPICS.has(topic));
  } catch (error) {
    if (error instanceof SchemaError || isDamage(error)) return [];
    throw error;
  } finally {
    db.close();
  }
}

/** A generation that would take back what readers have seen does not begin to serve. */
function requireAsFar(store: Store, serving: readonly Position[]): void {
  const [first, ...others] = behind(store.positions.all(), serving);
  if (!first) return;
  const more = others.length > 0 ? ` (and ${others.length} more partitions)` : "";
  throw new SourceError(
    `the log ends before offset ${first.nextOffset} of ${partitionName(first)}${more}, up to which the serving views ` +
      "were folded: restore it, rebuild from an archive, or accept the loss (npx lead-view rebuild --accept-loss). " +
      "Nothing was switched",
  );
}

/**
 * Tells readers of a generation that another one is about to serve: from now on they look at the pointer at each turn. What
 * the other one has taken over stays true of this one: nothing that was erased comes back by a power cut.
 */
function supersede(file: string, by: number): void {
  if (!existsSync(file)) return;
  let store: Store | undefined;
  try {
    store = openStore(file);
    const { db, meta } = store;
    durably(db, () => meta.set("superseded", String(by)));
  } catch (error) {
    if (isPassing(error)) throw error;
    // Of a schema, or of rights, that this program can't write with: nobody reads it here.
  } finally {
    store?.close();
  }
}
