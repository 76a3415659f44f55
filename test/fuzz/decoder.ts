import { createDecoder } from "../../projector/decode/decode.ts";
import { DecodeError } from "../../projector/decode/decode-error.ts";
import { createProjection } from "../../projector/projection/projection.ts";
import type { Batch, Source, SourceRecord } from "../../projector/source/source.ts";
import { openStore, type Store } from "../../projector/store/store.ts";
import { createRandom } from "../generate/random.ts";
import { checkProbes } from "./probe.ts";
import { corpus, fuzzedRecord } from "./record.ts";

export interface DecoderFindings {
  readonly records: number;
  /** How many were folded, passed over, dropped, and became a dead letter of each code. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** What the decoder or the fold did that they must never do: each with the record. */
  readonly crashes: readonly string[];
  /** How often a view was found to have a probe. */
  readonly probes: number;
  /** Probes that came out as another text than they went in. */
  readonly altered: readonly string[];
}

const COMMIT_EVERY = 2_000;
export const decode = createDecoder({ maxEventBytes: 65_536, webhookWorkspaceId: "ws-1" });

/**
 * Folds records that are mostly wrong into a real database. Every one has to be folded or to be a dead letter with a
 * reason that was foreseen; what a folded one passes on has to be in the view as it was written.
 */
export function fuzzDecoder(records: number, seed: number): DecoderFindings {
  const random = createRandom(seed);
  const seeds = corpus(seed);
  const store = openStore(":memory:");
  const findings = createFindings(store);
  for (let offset = 0; offset < records; offset++) {
    const record = fuzzedRecord(random, random.pick(seeds), offset);
    findings.fold(record);
    if (offset % COMMIT_EVERY === 0 || offset === records - 1) findings.commit();
  }
  store.close();
  return { records, ...findings.found() };
}

/** Folds records one by one and gathers what is wrong about it. */
export function createFindings(store: Store) {
  let projection = createProjection(store, decode);
  const outcomes: Record<string, number> = {};
  const crashes: string[] = [];
  const altered: string[] = [];
  let probes = 0;
  let looked = 0;
  const count = (outcome: string, records: number) => {
    if (records > 0) outcomes[outcome] = (outcomes[outcome] ?? 0) + records;
  };
  const changed = store.db.prepare<[number], { number: number; body: Buffer }>(
    "SELECT number, body FROM lead_view WHERE number > ? AND body IS NOT NULL ORDER BY number",
  );

  const commit = () => {
    const { deadLetters, records, dropped, outcomes: kinds } = projection.commit();
    const repeated = kinds
      .filter(({ outcome }) => outcome === "repeated")
      .reduce((sum, { events }) => sum + events, 0);
    for (const { code } of deadLetters) count(code, 1);
    count("repeated", repeated);
    count("dropped", dropped);
    count("folded", records - deadLetters.length - repeated - dropped);
    for (const letter of deadLetters) {
      if (letter.code === "fold_failed") crashes.push(`${letter.reason}: ${described(letter.record)}`);
    }
    for (const { number, body } of changed.iterate(looked)) {
      const found = checkProbes(body.toString("utf8"));
      probes += found.seen;
      altered.push(...found.altered);
      looked = number;
    }
  };

  const fold = (record: SourceRecord): void =>
    guarded(record, () => {
      try {
        decode(record);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
      }
      projection.fold(record);
    });

  const guarded = (record: SourceRecord | undefined, work: () => void) => {
    try {
      work();
    } catch (error) {
      crashes.push(`${(error as Error).stack}: ${record ? described(record) : "at a commit"}`);
      projection = createProjection(store, decode);
    }
  };

  return {
    fold,
    commit: (): void => guarded(undefined, commit),
    /** Folds all that a source has. @returns how many records that is */
    async read(source: Source): Promise<number> {
      let read = 0;
      const handle = async ({ records, positions }: Batch) => {
        for (const record of records) fold(record);
        projection.advance(positions);
        guarded(undefined, commit);
        read += records.length;
      };
      await source.readToEnd(
        { positions: () => projection.positions(), handle },
        new AbortController().signal,
      );
      return read;
    },
    found: () => ({ outcomes, crashes, probes, altered }),
  };
}

const described = ({ topic, key, headers, timestamp, value }: SourceRecord): string =>
  JSON.stringify({
    topic,
    timestamp,
    headers,
    key: key?.toString("base64"),
    value: value?.toString("base64"),
  }).slice(0, 2_000);
