// `npm run bench:digits`: what it costs that numbers keep their digits (rule: digits), in a history that has none that a
// double could not hold; and in one where every event has some.
import { checkJson } from "../../projector/decode/json.ts";
import { createProjection } from "../../projector/projection/projection.ts";
import { openStore } from "../../projector/store/store.ts";
import { hasUnusualNumber, parseExactly } from "../../shared/events/exact-json.ts";
import { generateHistory } from "../generate/history.ts";
import { decode } from "../harness/projector.ts";
import { table } from "./table.ts";

const RECORDS = 100_000;
const ROUNDS = 7;

const history = [...generateHistory({ leads: 1e9, seed: 1, records: RECORDS })].flatMap(
  ({ topic, leadId, value }) => (value === null ? [] : [{ topic, leadId, text: value }]),
);
const parsed = history.map(({ text }) => ({ text, value: JSON.parse(text) as unknown }));

const events = history.length;
const fold = best(1, () => foldAll((text) => text));
const unusual = best(1, () =>
  foldAll((text) => text.replace('"data":{', '"data":{"reference":12345678901234567890,')),
);
// Turn and turn about, so that the machine's moods meet all.
const walks = { plain: Number.POSITIVE_INFINITY, exact: Number.POSITIVE_INFINITY };
for (let round = 0; round < ROUNDS; round++) {
  walks.plain = Math.min(walks.plain, seconds(walkAll));
  walks.exact = Math.min(walks.exact, seconds(checkAll));
}
const cost = walks.exact - walks.plain;
const microseconds = (total: number) => `${((total / events) * 1e6).toFixed(2)} µs an event`;
table(
  ["what", "value"],
  [
    [
      "history",
      `${events} events, ${parsed.filter(({ text }) => hasUnusualNumber(text)).length} with an unusual number`,
    ],
    ["decode, fold, assemble and store", microseconds(fold)],
    ["the decoder's walk without an eye for numbers", microseconds(walks.plain)],
    ["the decoder's walk", microseconds(walks.exact)],
    ["the digits' share (aim: 0.02 or less)", (cost / fold).toFixed(4)],
    ["the same history with a long number in each event", microseconds(unusual)],
  ],
);
console.log(
  JSON.stringify({
    digitsShare: Number((cost / fold).toFixed(4)),
    unusualRatio: Number((unusual / fold).toFixed(2)),
  }),
);

/** Folds the whole history into one commit, as a catch-up does. */
function foldAll(change: (text: string) => string): void {
  const store = openStore(":memory:");
  const projection = createProjection(store, decode);
  history.forEach(({ topic, leadId, text }, offset) => {
    const key = Buffer.from(leadId);
    const value = Buffer.from(change(text));
    projection.fold({ topic, partition: 0, offset, key, timestamp: 0, headers: {}, value });
  });
  projection.commit();
  store.close();
}

function checkAll(): void {
  for (const { text, value } of parsed) checkJson(text, value, parseExactly);
}

function walkAll(): void {
  for (const { text, value } of parsed) walk(text, value);
}

/** What `checkJson` does for the other rules alone. */
function walk(text: string, value: unknown): void {
  const escaped = text.includes("\\u");
  if (escaped || text.includes("__proto__") || text.includes('"constructor"'))
    throw new Error("not in this history");
  walkNode(value, 1);
}

function walkNode(node: unknown, depth: number): void {
  if (typeof node !== "object" || node === null) return;
  if (depth > 100) throw new Error("not in this history");
  if (Array.isArray(node)) {
    for (const element of node) walkNode(element, depth + 1);
    return;
  }
  for (const name in node) {
    const member = (node as Record<string, unknown>)[name];
    if (typeof member === "object") walkNode(member, depth + 1);
  }
}

function best(rounds: number, work: () => void): number {
  return Math.min(...Array.from({ length: rounds }, () => seconds(work)));
}

/** Seconds of processor time, which what else runs on the machine disturbs less than the clock's. */
function seconds(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}
