import { existsSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import { generationFile } from "../../shared/generation.ts";
import { openWriter } from "../../shared/sqlite.ts";
import { syncPath } from "../../shared/sync-path.ts";
import { DecodeError } from "../decode/decode-error.ts";
import { release } from "../publish/held-back.ts";
import { WEBHOOK_HANDLERS, type WebhookKinds } from "../publish/webhooks/requests.ts";
import { runBuild } from "../rebuild/build-worker.ts";
import { buildingFile, nextGeneration, removeDatabase, requireGeneration } from "../rebuild/generations.ts";
import { addMissedDuties } from "../rebuild/reconcile.ts";
import { refoldLeads } from "../rebuild/refold.ts";
import { openHistorySource } from "../source/open-source.ts";
import type { Share } from "../source/share.ts";
import { type RecordPosition, recordPosition, recordPositionName } from "../source/source.ts";
import type { Store } from "../store/store.ts";
import type { Owner } from "./owner.ts";
import type { Progress } from "./requests.ts";

/** Something that the one who asked can put right; the message says how. */
export class RequestError extends Error {
  override readonly name = "RequestError";
}

export interface Carrying {
  readonly owner: Owner;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

export interface RebuildArguments {
  /** An archive's folder to begin with. */
  readonly from?: string;
  /** False = the new generation is kept ready, and the serving one goes on. */
  readonly switch: boolean;
  /** True where it may know less of the log than the serving one. */
  readonly acceptLoss: boolean;
  /** True where it may have dead letters that the serving one could fold. */
  readonly acceptDeadLetters: boolean;
}

/** Every kind of request, with what it takes and what comes of it. */
export interface Kinds extends WebhookKinds {
  rebuild: { arguments: RebuildArguments; result: { generation: number; serves: boolean } };
  switch: { arguments: { generation: number }; result: { generation: number } };
  remove: { arguments: { generation: number }; result: { generation: number } };
  refold: {
    arguments: { lead?: string; workspace?: string };
    result: { leads: number; folded: number; failed: number };
  };
  retry: { arguments: { letter: string }; result: { folded: number; recovered: number } };
  discard: { arguments: { letter: string }; result: { letter: string } };
  release: { arguments: object; result: { wasHeldBack: boolean } };
  resend: { arguments: { relay: string; name?: string }; result: { rows: number } };
  forget: { arguments: { relay: string; name: string }; result: { name: string } };
}

export type Kind = keyof Kinds;

/** Requests that are done in a moment: they don't wait for those that read the log. */
export const QUICK: readonly Kind[] = [
  ...(Object.keys(WEBHOOK_HANDLERS) as (keyof WebhookKinds)[]),
  "discard",
  "resend",
  "forget",
];

type Handlers = {
  [K in Kind]: (args: Kinds[K]["arguments"], carrying: Carrying) => Promise<Kinds[K]["result"]>;
};

/** Carries out what is asked of the owner. What each does to the views happens between two commits. */
export const HANDLERS: Handlers = {
  ...WEBHOOK_HANDLERS,
  rebuild,
  async switch({ generation }, { owner, onProgress, signal }) {
    const { databaseDir } = owner.config;
    requireGeneration(databaseDir, generation);
    if (generation === owner.generation()) throw new RequestError(`generation ${generation} serves already`);
    await owner.withGeneration(generation, async () => {
      const file = generationFile(databaseDir, generation);
      const task = { file, anew: false, archive: undefined, limit: undefined, expected: 0, sameLogAs: [] };
      const serving = owner.positions().length > 0 ? owner.generation() : undefined;
      const { compared } = await runBuild({ ...task, serving }, progressTo(onProgress), signal);
      onProgress({ phase: "switch", done: 0, total: 0 });
      await owner.switchTo(generation, { compared, acceptLoss: false, signal });
    });
    return { generation };
  },
  async remove({ generation }, { owner }) {
    const { databaseDir } = owner.config;
    requireGeneration(databaseDir, generation);
    if (generation === owner.generation())
      throw new RequestError(`generation ${generation} serves; switch to another one first`);
    await owner.withGeneration(generation, async () => {
      removeDatabase(generationFile(databaseDir, generation));
      await owner.betweenCommits((store) => store.erased.endDuties(generation));
    });
    return { generation };
  },
  async refold({ lead, workspace }, { owner, signal }) {
    let leads = 0;
    const leadsOf = (store: Store) => {
      const ids = new Set(lead === undefined ? store.views.leadsOf(workspace ?? "") : [lead]);
      leads = ids.size;
      return ids;
    };
    const { folded, failed } = await refoldLeads({ ...refolding(owner), leadsOf, signal });
    if (folded + failed.length === 0)
      throw new RequestError(
        lead === undefined
          ? `no lead belongs to workspace ${workspace}`
          : `the log has no event of lead ${lead}`,
      );
    return { leads, folded, failed: failed.length };
  },
  async retry({ letter }, { owner, signal }) {
    const at = letterPosition(letter);
    const stored = await owner.betweenCommits((store) => store.deadLetters.get(at));
    if (!stored) throw new RequestError(`there is no dead letter ${letter}`);
    let leadId: string;
    try {
      ({ leadId } = owner.decode(stored.record));
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      throw new RequestError(
        `it still is no event (${error.code}: ${error.message}): upgrade the program, or discard it`,
      );
    }
    const { folded, failed, recovered } = await refoldLeads({
      ...refolding(owner),
      leadsOf: () => new Set([leadId]),
      partition: at.partition,
      signal,
    });
    const again = failed.find(({ record }) => recordPositionName(record) === letter);
    if (again) throw new RequestError(`it still can't be folded (${again.code}: ${again.reason})`);
    return { folded, recovered };
  },
  async discard({ letter }, { owner }) {
    const at = letterPosition(letter);
    const found = await owner.betweenCommits((store) => store.deadLetters.discard(at));
    if (!found) throw new RequestError(`there is no dead letter ${letter}`);
    return { letter };
  },
  async release(_args, { owner }) {
    return { wasHeldBack: await owner.betweenCommits((store) => release(store)) };
  },
  async resend({ relay, name }, { owner }) {
    const rows = await owner.betweenCommits(({ setAsides }) =>
      name === undefined ? setAsides.retryHeld(relay) : Number(setAsides.retry(relay, name)),
    );
    if (rows === 0 && name !== undefined) throw new RequestError(`${relay} has not set ${name} aside`);
    return { rows };
  },
  async forget({ relay, name }, { owner }) {
    const found = await owner.betweenCommits(({ setAsides }) => setAsides.remove(relay, name));
    if (!found) throw new RequestError(`${relay} has not set ${name} aside`);
    return { name };
  },
};

const refolding = (owner: Owner) => ({
  beside: owner,
  decode: owner.decode,
  openLog: (share: Share) => openHistorySource(owner.config, owner.log, share),
  databaseDir: owner.config.databaseDir,
});

function letterPosition(text: string): RecordPosition {
  const at = recordPosition(text);
  if (at) return at;
  throw new RequestError(
    `"${text}" names no dead letter: it takes topic/partition/offset, as the list shows`,
  );
}

const progressTo =
  (onProgress: Carrying["onProgress"]) =>
  (phase: string, done: number, total: number): void =>
    onProgress({ phase, done, total });

async function rebuild(
  { from, switch: switches, acceptLoss, acceptDeadLetters }: RebuildArguments,
  { owner, onProgress, signal }: Carrying,
): Promise<Kinds["rebuild"]["result"]> {
  const { databaseDir } = owner.config;
  const file = buildingFile(databaseDir);
  removeDatabase(file);
  try {
    const positions = owner.positions();
    const expected = positions.reduce((sum, { nextOffset }) => sum + nextOffset, 0);
    const serving = positions.length > 0 ? owner.generation() : undefined;
    const sameLogAs = acceptLoss ? [] : positions;
    const task = { file, anew: true, archive: from, limit: undefined, expected, sameLogAs, serving };
    const { compared } = await runBuild(task, progressTo(onProgress), signal);
    if (switches && !acceptDeadLetters && serving !== undefined)
      requireNoNewLetters(file, generationFile(databaseDir, serving));
    const generation = nextGeneration(databaseDir);
    const made = generationFile(databaseDir, generation);
    if (serving === undefined) {
      renameDatabase(file, made);
    } else {
      await owner.betweenCommits((store) => {
        addMissedDuties(store, file, generation);
        renameDatabase(file, made);
      });
    }
    if (switches) {
      onProgress({ phase: "switch", done: 0, total: 0 });
      try {
        await owner.switchTo(generation, { compared, acceptLoss, signal });
      } catch (error) {
        removeDatabase(made);
        throw error;
      }
    }
    return { generation, serves: switches };
  } finally {
    removeDatabase(file);
  }
}

/** Gives a closed database its final name. */
function renameDatabase(from: string, to: string): void {
  if (existsSync(`${from}-wal`))
    throw new RequestError(
      `${from}: its write-ahead log could not be moved into it; is the disk full? Nothing was switched`,
    );
  // It was written without waiting for the disk.
  syncPath(from);
  renameSync(from, to);
  syncPath(dirname(to));
}

/** Records that a new generation could not fold, and the serving one could, are for somebody to look into first. */
function requireNoNewLetters(fresh: string, serving: string): void {
  const known = new Set(letterPositions(serving));
  const news = letterPositions(fresh).filter((position) => !known.has(position));
  if (news.length === 0) return;
  throw new RequestError(
    `${news.length} records can't be folded that the serving views hold, first ${news[0]}. Nothing was switched: look ` +
      "into them, or accept that (npx lead-view rebuild --switch)",
  );
}

function letterPositions(file: string): string[] {
  // Not a reader's connection, which would leave a write-ahead log behind in a file that is about to be renamed.
  const db = openWriter(file, { mustExist: true });
  try {
    const position = `topic || '/' || "partition" || '/' || "offset"`;
    return db
      .prepare<[], string>(`SELECT ${position} FROM dead_letter UNION SELECT ${position} FROM discarded`)
      .pluck()
      .all();
  } finally {
    db.close();
  }
}
