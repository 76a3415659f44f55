import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { lineOfRecord, recordOfLine } from "../../projector/source/file-log/file-record.ts";
import { type Headers, LATEST_MS, NO_TIMESTAMP, type SourceRecord } from "../../projector/source/source.ts";
import { TOPICS } from "../../shared/events/catalogue.ts";
import { generateHistory } from "../generate/history.ts";
import type { Random } from "../generate/random.ts";
import { mutateBytes, mutateJson, NASTY, nastyText, randomBytes } from "./mutate.ts";
import { probeMember, withProbes } from "./probe.ts";

/** A record that is right. */
export type Seed = Pick<SourceRecord, "topic" | "key" | "value" | "timestamp">;

type Fields = Record<string, unknown>;

const TOPIC_NAMES = [...Object.values(TOPICS), "omni.unknown"];
const WEBHOOKS = fileURLToPath(new URL("../fixtures/webhooks/omni.webhook/0.ndjson", import.meta.url));
/** Records after which leads and workspaces are others: erased leads take nothing more, and matches would add up. */
const EPOCH = 5_000;

/** Records of some leads that are right, of every topic. */
export function corpus(seed: number): Seed[] {
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

/** A record that is mostly wrong, in every way that a producer could get it wrong, at an offset of its own. */
export function fuzzedRecord(random: Random, seed: Seed, offset: number): SourceRecord {
  const { topic, key, value, timestamp } = renewed(random, seed, offset);
  const body = random.chance(0.5) ? probed(random, value, offset) : fuzzedValue(random, value);
  const record: SourceRecord = {
    topic: random.chance(0.05) ? random.pick(TOPIC_NAMES) : topic,
    partition: 0,
    offset,
    key: random.chance(0.05) ? random.pick([null, randomBytes(random), Buffer.alloc(0)]) : key,
    timestamp: random.chance(0.05) ? random.pick([NO_TIMESTAMP, 0, LATEST_MS, -LATEST_MS]) : timestamp,
    headers: random.chance(0.05) ? fuzzedHeaders(random) : {},
    value: body,
  };
  const sent = random.chance(0.15) ? asCloudEvent(random, record) : record;
  // Through a file's line, as an archive keeps it.
  return random.chance(0.3)
    ? recordOfLine(
        { topic: sent.topic, partition: 0, nextOffset: offset, leastOffset: offset },
        lineOfRecord(sent),
      )
    : sent;
}

/** The same with another id, of another lead and workspace, but for a few that are sent again as they were. */
function renewed(random: Random, seed: Seed, offset: number): Seed {
  if (seed.value === null || seed.key === null) return seed;
  const lead = seed.key.toString();
  const epoch = Math.floor(offset / EPOCH);
  const other = `${lead}-${epoch}`;
  const text = seed.value
    .toString("utf8")
    .replaceAll(lead, other)
    .replace(/"workspaceId":"([^"]*)"/, `"workspaceId":"$1-${epoch}"`)
    // Most webhook bodies that leave it to the settings.
    .replace(/^\{(?!.*"workspaceId")/s, random.chance(0.8) ? `{"workspaceId":"ws-${epoch}",` : "{");
  const id = random.chance(0.9) ? text.replace(/^\{"id":"[^"]*"/, `{"id":"f-${offset}"`) : text;
  return { ...seed, key: Buffer.from(other), value: Buffer.from(id) };
}

/** A right value with a probe in one of its objects, at any depth. */
function probed(random: Random, value: Buffer | null, number: number): Buffer | null {
  if (value === null) return null;
  const json = JSON.parse(value.toString("utf8"));
  const [name, mark] = probeMember(number);
  random.pick(objectsIn(json))[name] = mark;
  return Buffer.from(withProbes(JSON.stringify(json), random));
}

const objectsIn = (node: unknown): Fields[] => {
  if (Array.isArray(node)) return node.flatMap(objectsIn);
  if (typeof node !== "object" || node === null) return [];
  return [node as Fields, ...Object.values(node).flatMap(objectsIn)];
};

function fuzzedValue(random: Random, value: Buffer | null): Buffer | null {
  const way = random.fraction();
  if (value === null || way < 0.1) return value;
  if (way < 0.15) return randomBytes(random, 200);
  if (way < 0.4) return mutateBytes(value, random);
  let json: unknown = JSON.parse(value.toString("utf8"));
  for (let times = random.integer(1, 3); times > 0; times--) json = mutateJson(json, random);
  return Buffer.from(respelled(random, JSON.stringify(json) ?? "null"));
}

/** Nasty values as JavaScript does not write them. */
const SPELLINGS: readonly (readonly [own: string, other: string])[] = [
  ["\\ud800", "\\uD800"],
  ["9007199254740992", "9007199254740993"],
  ["1e+308", "1e400"],
  [":0,", ":-0.0,"],
  [":-1", ":-1.0"],
];

const respelled = (random: Random, json: string): string =>
  SPELLINGS.reduce((text, [own, other]) => (random.chance(0.5) ? text.replaceAll(own, other) : text), json);

/** The same event as a CloudEvent, in one of the modes, or nearly. */
function asCloudEvent(random: Random, record: SourceRecord): SourceRecord {
  let envelope: Fields;
  try {
    envelope = JSON.parse(String(record.value ?? "{}"));
  } catch {
    envelope = {};
  }
  // The data's own text: a parse would lose digits.
  const data = /,"data":(.*)\}$/s.exec(String(record.value))?.[1] ?? "{}";
  const attributes: Fields = {
    specversion: "1.0",
    id: envelope?.id,
    source: "/fuzz",
    type: envelope?.event,
    time: envelope?.occurredAt,
    subject: envelope?.leadId,
    workspaceid: envelope?.workspaceId,
    ...(random.chance(0.2) ? { [nastyText(random)]: random.pick(NASTY), time: null } : {}),
  };
  const given = Object.entries(attributes).filter(() => random.chance(0.98));
  if (random.chance(0.5)) {
    const headers = given.map(([name, value]) => [
      `ce_${name}`,
      value === undefined ? null : headerText(value),
    ]);
    return {
      ...record,
      headers: { ...record.headers, ...Object.fromEntries(headers) },
      value: random.chance(0.1) ? null : Buffer.from(data),
    };
  }
  const head = JSON.stringify(Object.fromEntries(given)).slice(0, -1);
  const type = random.chance(0.9) ? "application/cloudevents+json; charset=UTF-8" : nastyText(random);
  const text = random.chance(0.9)
    ? `${head},"data":${data}}`
    : `${head},"data_base64":"${Buffer.from(data).toString("base64")}"}`;
  return {
    ...record,
    headers: { ...record.headers, "content-type": type.toWellFormed() },
    value: Buffer.from(text),
  };
}

const headerText = (value: unknown): string =>
  (typeof value === "string" ? value : (JSON.stringify(value) ?? "")).toWellFormed();

const HEADER_NAMES = [
  "ce_specversion",
  "ce_id",
  "ce_type",
  "ce_time",
  "ce_subject",
  "Content-Type",
  "traceparent",
  "__proto__",
  "toString",
  "constructor",
  "7",
];

/** Any of these names, each with text, bytes, null, or several of them. */
export const fuzzedHeaders = (random: Random): Headers =>
  Object.fromEntries(
    HEADER_NAMES.filter(() => random.chance(0.4)).map((name) => [
      name,
      random.pick<Headers[string]>([
        randomBytes(random),
        nastyText(random).toWellFormed(),
        null,
        ["a", null, randomBytes(random)],
        "1.0",
      ]),
    ]),
  );
