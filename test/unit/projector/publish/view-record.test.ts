// What a record of the topic of views says is what the row said, byte for byte.
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  messageOf,
  readViewRecord,
  recordJsonOf,
  recordOfJson,
} from "../../../../projector/publish/view-record.ts";
import type { SourceRecord } from "../../../../projector/source/source.ts";
import { type ChangeRow, SECTIONS } from "../../../../shared/view/change.ts";

const text = fc.string({ unit: "grapheme", maxLength: 40 });
const views = fc.record({
  sections: fc.array(fc.array(fc.tuple(text, fc.option(text)), { maxLength: 4 }), {
    minLength: SECTIONS.length,
    maxLength: SECTIONS.length,
  }),
  leadId: fc.string({ minLength: 1, maxLength: 30 }),
  workspaceId: fc.string({ minLength: 1, maxLength: 30 }),
  number: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
});

/** A row with URLs, nulls that are none, and any text between. */
function rowOf({
  sections,
  leadId,
  workspaceId,
  number,
}: typeof views extends fc.Arbitrary<infer V> ? V : never): ChangeRow {
  let body = "";
  const urlSlots: [number, string][] = [];
  const sectionEnds: number[] = [];
  sections.forEach((parts, index) => {
    body += index === 0 ? '{"lead":[' : `,"s${index}":[`;
    parts.forEach(([before, storageKey], place) => {
      body += `${place === 0 ? "" : ","}${JSON.stringify(before)},null,`;
      if (storageKey !== null) urlSlots.push([Buffer.byteLength(body) + 1, storageKey]);
      body += storageKey === null ? "null" : '""';
    });
    body += "]";
    sectionEnds.push(Buffer.byteLength(body));
  });
  body += "}";
  return {
    leadId,
    workspaceId,
    number,
    status: "IN_PROGRESS",
    sectionNumbers: JSON.stringify(SECTIONS.map((_, index) => Math.max(1, number - index))),
    sectionEnds: JSON.stringify(sectionEnds),
    traceparent: null,
    urlSlots: urlSlots.length === 0 ? null : JSON.stringify(urlSlots),
    body: Buffer.from(body),
  };
}

const recordOf = (row: ChangeRow): SourceRecord => {
  const { key, value, headers } = messageOf(row, undefined);
  return {
    topic: "views",
    partition: 0,
    offset: 0,
    timestamp: 0,
    key: Buffer.from(String(key)),
    value: value as Buffer | null,
    headers: headers as SourceRecord["headers"],
  };
};

test("a view comes out of its record as it went in, and a tombstone too", () => {
  fc.assert(
    fc.property(views, (view) => {
      const row = rowOf(view);
      expect(readViewRecord(recordOf(row))).toEqual({ kind: "view", change: row });
      expect(readViewRecord(recordOfJson(recordJsonOf(row)))).toEqual({ kind: "view", change: row });
      const none = { status: null, sectionNumbers: "[]", sectionEnds: "[]", urlSlots: null, body: null };
      const gone = { ...row, ...none };
      expect(readViewRecord(recordOf(gone))).toEqual({ kind: "tombstone", change: gone });
    }),
  );
});

test("a value that was altered, or headers of another view, are refused", () => {
  const row = rowOf({
    sections: SECTIONS.map(() => [["a", "key/1"]] as [string, string][]),
    leadId: "lead-1",
    workspaceId: "ws-1",
    number: 7,
  });
  const record = recordOf(row);
  expect(() => readViewRecord({ ...record, value: (record.value as Buffer).subarray(1) })).toThrow(
    /no place for a URL/,
  );
  expect(() => readViewRecord({ ...record, value: Buffer.from("{}") })).toThrow();
  expect(() => readViewRecord({ ...record, headers: { ...record.headers, version: "x" } })).toThrow(
    /version/,
  );
  const { section_ends: _, ...headers } = record.headers;
  expect(() => readViewRecord({ ...record, headers })).toThrow(/section_ends/);
  expect(() => readViewRecord({ ...record, key: null })).toThrow(/no key/);
});
