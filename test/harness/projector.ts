import { createDecoder } from "../../projector/decode/decode.ts";
import { createLiveProjection, type FoldThreads } from "../../projector/projection/live-projection.ts";
import { createProjection } from "../../projector/projection/projection.ts";
import { runProjection } from "../../projector/projection/run.ts";
import type { Source, SourceRecord } from "../../projector/source/source.ts";
import { openStore, type Store } from "../../projector/store/store.ts";
import { createLog } from "../../shared/log.ts";
import type { UrlSlot } from "../../shared/view/row.ts";

export const MAX_EVENT_BYTES = 1_048_576;
export const decode = createDecoder({ maxEventBytes: MAX_EVENT_BYTES, webhookWorkspaceId: undefined });

/** A projector on a database of its own, fed record by record. */
export function openProjector(file = ":memory:") {
  const store = openStore(file);
  const projection = createProjection(store, decode);
  return {
    store,
    projection,
    /** Folds the records and commits them as one batch. */
    foldBatch(records: readonly SourceRecord[]): void {
      for (const record of records) {
        projection.fold(record);
        projection.advance([positionAfter(record)]);
      }
      projection.commit();
    },
    close: () => store.close(),
  };
}

/** Folds all that a log holds, as the owner does. */
export async function foldLog(
  store: Store,
  source: Source,
  { with: decoder = decode, threads }: { readonly with?: typeof decode; readonly threads?: FoldThreads } = {},
): Promise<void> {
  const { signal } = new AbortController();
  const log = createLog("projector", "silent");
  const options = { store, decode: decoder, log, signal, ...(threads ? { threads } : {}) };
  await runProjection({ source, projection: createLiveProjection(options), signal }, { toEnd: true });
}

export const positionAfter = ({ topic, partition, offset }: SourceRecord) => ({
  topic,
  partition,
  nextOffset: offset + 1,
  last: null,
  cursor: null,
});

export interface StoredView {
  readonly body: string;
  readonly number: number;
  readonly urlSlots: readonly UrlSlot[];
}

/** All views of a database by lead id, in the order of the ids. */
export function viewsOf(store: ReturnType<typeof openStore>): Record<string, StoredView> {
  const rows = store.db
    .prepare<[], { id: string; body: Buffer; number: number; slots: string | null }>(
      "SELECT lead_id AS id, body, number, url_slots AS slots FROM lead_view WHERE body IS NOT NULL ORDER BY lead_id",
    )
    .all();
  return Object.fromEntries(
    rows.map(({ id, body, number, slots }) => [
      id,
      { body: body.toString("utf8"), number, urlSlots: slots === null ? [] : JSON.parse(slots) },
    ]),
  );
}

/** All views' bytes, without their versions: what must not depend on how the history was cut into batches. */
export const bytesOf = (store: ReturnType<typeof openStore>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(viewsOf(store)).map(([id, { body, urlSlots }]) => [
      id,
      `${body} ${JSON.stringify(urlSlots)}`,
    ]),
  );

export interface StoredDeadLetter {
  readonly topic: string;
  readonly offset: number;
  readonly code: string;
  readonly reason: string;
  readonly value: Buffer | null;
}

export const deadLettersOf = (store: ReturnType<typeof openStore>): StoredDeadLetter[] =>
  store.db
    .prepare<[], StoredDeadLetter>(
      'SELECT topic, "offset", code, reason, value FROM dead_letter ORDER BY topic, "partition", "offset"',
    )
    .all();
