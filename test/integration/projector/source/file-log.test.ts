import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFileLog } from "../../../../projector/source/file-log/file-log.ts";
import { lineOfRecord, recordOfLine } from "../../../../projector/source/file-log/file-record.ts";
import type { Batch, Position, SourceRecord } from "../../../../projector/source/source.ts";
import { until } from "../../../harness/wait.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "file-log-"));
  mkdirSync(join(folder, "omni.lead"));
  file = join(folder, "omni.lead", "0.ndjson");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const line = (offset: number | undefined, value: unknown = { n: offset }) =>
  `${JSON.stringify({ offset, key: "k", timestamp: 5, headers: {}, value })}\n`;

/** Follows the folder, gathering what comes. */
function follow(positions: readonly Position[] = []) {
  const records: SourceRecord[] = [];
  const latest = new Map<string, Position>(
    positions.map((position) => [`${position.topic}/${position.partition}`, position]),
  );
  const stopping = new AbortController();
  const told: { readonly path: string; readonly reason: string }[] = [];
  const log = { warn: ({ path }: { path: string }, reason: string) => told.push({ path, reason }) };
  const running = createFileLog(folder, { log: log as never }).run(
    {
      positions: () => positions,
      async handle(batch: Batch) {
        records.push(...batch.records);
        for (const position of batch.positions)
          latest.set(`${position.topic}/${position.partition}`, position);
      },
    },
    stopping.signal,
  );
  return {
    records,
    told,
    running,
    positions: () => [...latest.values()],
    received: (count: number) => until(`${count} records`, () => records.length >= count),
    stop: () => {
      stopping.abort();
      return running;
    },
  };
}

test("follows appended lines and new files; a half-written line counts once its newline is there", async () => {
  writeFileSync(file, line(0) + line(1));
  const log = follow();
  await log.received(2);
  const third = line(2);
  appendFileSync(file, third.slice(0, 10));
  mkdirSync(join(folder, "omni.document"));
  writeFileSync(join(folder, "omni.document", "3.ndjson"), line(0));
  await log.received(3);
  expect(log.records[2]).toMatchObject({ topic: "omni.document", partition: 3, offset: 0 });
  appendFileSync(file, third.slice(10));
  await log.received(4);
  expect(log.records[3]).toMatchObject({ topic: "omni.lead", partition: 0, offset: 2 });
  await log.stop();
});

test("resumes behind the last position, offsets with gaps and without", async () => {
  writeFileSync(file, line(0) + line(7) + line(undefined));
  const first = follow();
  await first.received(3);
  await first.stop();
  expect(first.records.map(({ offset }) => offset)).toEqual([0, 7, 8]);
  appendFileSync(file, line(20));
  const second = follow(first.positions());
  await second.received(1);
  expect(second.records.map(({ offset }) => offset)).toEqual([20]);
  await second.stop();
});

test("a position without a cursor passes over what was folded before", async () => {
  writeFileSync(file, line(0) + line(1) + line(2));
  const log = follow([{ topic: "omni.lead", partition: 0, nextOffset: 2, last: null, cursor: null }]);
  await log.received(1);
  expect(log.records.map(({ offset }) => offset)).toEqual([2]);
  await log.stop();
});

test.each([
  ["truncated while it is followed", () => truncateSync(file, 3), /was truncated/],
  [
    "replaced while it is followed",
    () => {
      writeFileSync(`${file}.new`, line(0) + line(1));
      renameSync(`${file}.new`, file);
    },
    /removed or replaced/,
  ],
  ["removed while it is followed", () => rmSync(file), /removed or replaced/],
])("a file that is %s stops the log with an error that says what to do", async (_what, harm, message) => {
  writeFileSync(file, line(0) + line(1));
  const log = follow();
  await log.received(2);
  harm();
  await expect(log.running).rejects.toThrow(message);
  await expect(log.running).rejects.toThrow(/restore it, use another DATABASE_DIR, or make the views/);
});

test.each([
  ["shorter", () => truncateSync(file, 3), /ends before offset/],
  [
    "another one",
    () => writeFileSync(file, line(0, { other: 1 }) + line(1, { other: 2 })),
    /another log|ends before/,
  ],
  ["gone", () => rmSync(file), /is gone/],
])("a file that is %s at the next start stops the log with an error", async (_what, harm, message) => {
  writeFileSync(file, line(0) + line(1));
  const first = follow();
  await first.received(2);
  await first.stop();
  harm();
  await expect(follow(first.positions()).running).rejects.toThrow(message);
});

test("lines that can't be read become unreadable records in their place; none is passed over", async () => {
  writeFileSync(
    file,
    Buffer.concat([
      Buffer.from(line(0)),
      Buffer.from("not json\n"),
      Buffer.from('{"key":"k\xff"}\n', "latin1"),
      Buffer.from(line(0)),
      Buffer.from('{"key":7,"value":{}}\n'),
      Buffer.from('{"key":"k"}\n'),
      Buffer.from(line(1)),
    ]),
  );
  const log = follow();
  await log.received(7);
  expect(log.records.map(({ offset, unreadable }) => [offset, unreadable !== undefined])).toEqual([
    [0, false],
    [1, true],
    [2, true],
    [3, true],
    [4, true],
    [5, true],
    [6, false],
  ]);
  expect(log.records[1]?.value?.toString()).toBe("not json");
  await log.stop();
});

test("a broken line's offset is its own, by whatever offsets the lines say and however the file is read", async () => {
  const lines = [
    line(undefined),
    "broken\n",
    line(undefined),
    line(7),
    "broken\n",
    line(8),
    line(9),
    line(undefined),
  ];
  const expected = [0, 1, 2, 7, 8, 9, 10, 11];
  for (let stops = 0; stops <= lines.length; stops++) {
    rmSync(file, { force: true });
    writeFileSync(file, lines.slice(0, stops).join(""));
    const first = follow();
    await first.received(stops);
    await first.stop();
    appendFileSync(file, lines.slice(stops).join(""));
    const second = follow(first.positions());
    await second.received(lines.length - stops);
    await second.stop();
    expect([...first.records, ...second.records].map(({ offset }) => offset)).toEqual(expected);
  }
});

test("a byte order mark, empty lines and lines of spaces are passed over, and take no offset", async () => {
  writeFileSync(file, `\ufeff${line(undefined)}\n\r\n  \t\r\n${line(undefined).replace("\n", "\r\n")}`);
  appendFileSync(file, `\ufeff${line(undefined)}\ufeff\n`);
  const log = follow();
  await log.received(3);
  expect(log.records.map(({ offset, unreadable }) => [offset, unreadable])).toEqual([
    [0, undefined],
    [1, undefined],
    [2, undefined],
  ]);
  await log.stop();
});

test("what looks like a part of the log and is not taken is told once, by name", async () => {
  writeFileSync(file, line(0));
  const taken = join(folder, "omni.document");
  mkdirSync(taken);
  for (const name of ["05.ndjson", "0.ndjson.gz", "0.json", "1000000.ndjson", ".hidden"])
    writeFileSync(join(taken, name), line(0));
  mkdirSync(join(taken, "1.ndjson"));
  mkdirSync(join(folder, "omni.leads"));
  mkdirSync(join(folder, "backup"));
  writeFileSync(join(folder, "backup", "0.ndjson"), line(0));
  mkdirSync(join(folder, "other"));
  writeFileSync(join(folder, "omni.checklist"), "");
  writeFileSync(join(folder, "lead.ndjson"), line(0));
  writeFileSync(join(folder, "lead_view.0.sqlite"), "");
  const log = follow();
  await log.received(1);
  writeFileSync(join(taken, "2.ndjson"), line(0));
  await log.received(2);
  await log.stop();
  const names = [
    "backup",
    "lead.ndjson",
    "omni.checklist",
    "omni.document/0.json",
    "omni.document/0.ndjson.gz",
    "omni.document/05.ndjson",
    "omni.document/1.ndjson",
    "omni.document/1000000.ndjson",
    "omni.leads",
  ];
  expect(log.told.map(({ path }) => path).sort()).toEqual(names.map((name) => join(folder, name)));
  for (const { reason } of log.told) expect(reason).toMatch(/rename|a topic is a folder/);
});

test("a record is read back byte for byte from its line", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 20 }).map((array) => Buffer.from(array)),
    fc.json().map((text) => Buffer.from(text)),
    fc.object().map((object) => Buffer.from(JSON.stringify(object))),
    fc.object().map((object) => Buffer.from(JSON.stringify(object, null, 2))),
    fc
      .constantFrom('{"value":1,"value":{"a":"}\\""}}', '{ "a" : [1 , {"b":"\\\\"}] }')
      .map((text) => Buffer.from(text)),
  );
  const header = fc.oneof(
    fc.constant(null),
    fc.string({ unit: "grapheme" }),
    fc.uint8Array({ maxLength: 5 }).map((array) => Buffer.from(array)),
  );
  const record = fc.record({
    topic: fc.constant("omni.lead"),
    partition: fc.constant(0),
    offset: fc.nat(),
    key: fc.option(bytes),
    timestamp: fc.integer(),
    headers: fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom("__proto__", "toString", "constructor", "7")),
      fc.oneof(header, fc.array(header, { minLength: 1 })),
    ),
    value: fc.option(bytes),
  });
  const asBytes = (value: unknown): unknown =>
    Array.isArray(value) ? value.map(asBytes) : typeof value === "string" ? Buffer.from(value) : value;
  fc.assert(
    fc.property(record, (original) => {
      const text = lineOfRecord(original);
      expect(text).not.toContain("\n");
      const back = recordOfLine({ topic: "omni.lead", partition: 0, nextOffset: 0, leastOffset: 0 }, text);
      expect(back.unreadable).toBeUndefined();
      expect(back.value).toEqual(original.value);
      expect([back.offset, back.key, back.timestamp]).toEqual([
        original.offset,
        original.key,
        original.timestamp,
      ]);
      const headers = (from: SourceRecord["headers"]) =>
        Object.entries(from).map(([name, value]) => [name, asBytes(value)]);
      expect(headers(back.headers)).toEqual(headers(original.headers));
    }),
    { numRuns: 500 },
  );
});
