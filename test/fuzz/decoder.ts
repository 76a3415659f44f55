import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createDecoder } from "../../projector/decode/decode.ts";
import { DecodeError } from "../../projector/decode/decode-error.ts";
import { createProjection } from "../../projector/projection/projection.ts";
import { type Headers, LATEST_MS, type SourceRecord } from "../../projector/source/source.ts";
import { openStore } from "../../projector/store/store.ts";
import { TOPICS } from "../../shared/events/catalogue.ts";
import { generateHistory } from "../generate/history.ts";
import { createRandom, type Random } from "../generate/random.ts";
import { mutateBytes, mutateJson, nastyText, randomBytes } from "./mutate.ts";

export interface DecoderFindings {
  readonly records: number;
  /** How many were folded, and how many became a dead letter of each code. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** What the decoder or the fold did that they must never do: each with the record. */
  readonly crashes: readonly string[];
}

const COMMIT_EVERY = 2_000;
const TOPIC_NAMES = [...Object.values(TOPICS), "omni.unknown"];
const WEBHOOKS = fileURLToPath(new URL("../fixtures/webhooks/omni.webhook/0.ndjson", import.meta.url));
const decode = createDecoder({ maxEventBytes: 65_536, webhookWorkspaceId: "ws-1" });

/**
 * Folds records that are mostly wrong, in every way a producer could get them wrong, into a real database. Every one
 * has to be folded or to be a dead letter with a reason that was foreseen.
 */
export function fuzzDecoder(records: number, seed: number): DecoderFindings {
  const random = createRandom(seed);
  const seeds = corpus(seed);
  const store = openStore(":memory:");
  let projection = createProjection(store, decode);
  const outcomes: Record<string, number> = {};
  const crashes: string[] = [];
  const count = (outcome: string) => {
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  };
  for (let offset = 0; offset < records; offset++) {
    const record = { ...fuzzed(random, random.pick(seeds)), partition: 0, offset };
    try {
      try {
        decode(record);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
      }
      projection.fold(record);
      if (offset % COMMIT_EVERY === 0 || offset === records - 1) {
        const { deadLetters, records: folded } = projection.commit();
        for (const { code } of deadLetters) count(code);
        for (let good = folded - deadLetters.length; good > 0; good--) count("folded");
        for (const letter of deadLetters) {
          if (letter.code === "fold_failed") crashes.push(`${letter.reason}: ${described(letter.record)}`);
        }
      }
    } catch (error) {
      crashes.push(`${(error as Error).stack}: ${described(record)}`);
      projection = createProjection(store, decode);
    }
  }
  store.close();
  return { records, outcomes, crashes };
}

type Seed = Pick<SourceRecord, "topic" | "key" | "value" | "timestamp">;

/** Records that are right. */
function corpus(seed: number): Seed[] {
  const events = [...generateHistory({ leads: 60, seed, records: 2_000 })].map(
    ({ topic, leadId, timestamp, value }) => ({
      topic,
      key: Buffer.from(leadId),
      timestamp,
      value: value === null ? null : Buffer.from(value),
    }),
  );
  const webhooks = readFileSync(WEBHOOKS, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .map(({ key, value }) => ({
      topic: TOPICS.webhook,
      key: key === undefined ? null : Buffer.from(key),
      timestamp: 0,
      value: Buffer.from(JSON.stringify(value)),
    }));
  return [...events, ...webhooks, ...webhooks, ...webhooks];
}

function fuzzed(
  random: Random,
  { topic, key, value, timestamp }: Seed,
): Omit<SourceRecord, "partition" | "offset"> {
  return {
    topic: random.chance(0.05) ? random.pick(TOPIC_NAMES) : topic,
    key: random.chance(0.05) ? random.pick([null, randomBytes(random), Buffer.alloc(0)]) : key,
    timestamp: random.chance(0.05) ? random.pick([-1, 0, LATEST_MS, -LATEST_MS]) : timestamp,
    headers: random.chance(0.05) ? fuzzedHeaders(random) : {},
    value: fuzzedValue(random, value),
  };
}

function fuzzedValue(random: Random, value: Buffer | null): Buffer | null {
  const way = random.fraction();
  if (value === null || way < 0.1) return value;
  if (way < 0.15) return randomBytes(random, 200);
  if (way < 0.4) return mutateBytes(value, random);
  let json: unknown = JSON.parse(value.toString("utf8"));
  for (let times = random.integer(1, 3); times > 0; times--) json = mutateJson(json, random);
  return Buffer.from(JSON.stringify(json) ?? "null");
}

const HEADER_NAMES = [
  "ce_specversion",
  "ce_id",
  "ce_type",
  "ce_time",
  "ce_subject",
  "traceparent",
  "__proto__",
];

const fuzzedHeaders = (random: Random): Headers =>
  Object.fromEntries(
    HEADER_NAMES.filter(() => random.chance(0.5)).map((name) => [
      name,
      random.pick<Headers[string]>([randomBytes(random), nastyText(random), ["a", "b"], "1.0"]),
    ]),
  );

const described = ({ topic, key, headers, timestamp, value }: SourceRecord): string =>
  JSON.stringify({
    topic,
    timestamp,
    headers,
    key: key?.toString("base64"),
    value: value?.toString("base64"),
  }).slice(0, 2_000);
