// Rule: digits. What passes through comes out as it came in: over the state's reload, patches and rebuilds.
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDecoder } from "../../../projector/decode/decode.ts";
import { createProjection } from "../../../projector/projection/projection.ts";
import { recordOfLine } from "../../../projector/source/file-log/file-record.ts";
import type { SourceRecord } from "../../../projector/source/source.ts";
import { topicOf } from "../../../shared/events/catalogue.ts";
import {
  deadLettersOf,
  MAX_EVENT_BYTES,
  openProjector,
  positionAfter,
  viewsOf,
} from "../../harness/projector.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "digits-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Every way of a number that JavaScript would write otherwise, and texts with lone surrogates. */
const NASTY =
  '{"facebookLeadId":1524831183200260097,"big":1e400,"small":-1E-400,"zeros":[1.0,1.50,-0,-0.0,100.00],"exp":1e2,' +
  '"long":0.1000000000000000055511,"deep":[[{"n":12345678901234567890.5}]],"text":"cut \\ud83d","upper":"\\uD83D"}';

/** The events of one lead as text, so that nothing is lost on the way in. */
const EVENTS: readonly [event: string, data: string][] = [
  [
    "lead.created",
    `{"firstName":"Ann \\ud83d","lastName":"\\uD83Dx","email":"\\uD83D@example.com","phoneNumber":"\\uD83D1","externalLeadId":"ext-\\uD83D","custom":${NASTY}}`,
  ],
  [
    "checklist.assigned",
    `{"groups":[{"id":"g","conditions":${NASTY},"extra":7.0,"items":[{"id":"i","value":1e400,"itemOverride":${NASTY},` +
      `"alternateValues":[1.0,${NASTY}],"checklistItem":{"id":"ci","conditions":${NASTY},"validationRules":${NASTY},"max":1.10}},` +
      `{"id":"file","value":{"amount":10.00},"fieldType":"FILE"}]}]}`,
  ],
  ["checklist_item.updated", `{"id":"i","checklistItem":{"min":0.10},"note":2.0}`],
  ["checklist_group.updated", `{"id":"g","weight":3.0}`],
  ["document.received", `{"id":"d","size":1e3,"storageKey":"ws/d.pdf","metadata":${NASTY},"pages":4.0}`],
  ["document.extracted", `{"id":"d","summary":"half \\uDE00","score":0.90}`],
  ["document.linked", `{"id":"l","leadChecklistItemId":"file","documentId":"d","validationResult":${NASTY}}`],
  [
    "action_log.created",
    `{"id":"out","type":"MESSAGE","status":"COMPLETED","createdAt":"2026-03-01T00:00:00.000Z","input":{"direction":"OUTBOUND","n":${NASTY}},` +
      `"tool":{"id":"t","cost":0.50},"messages":[{"id":"m","body":"\\ud83d","documents":[{"id":"d"}],"cost":1.0}]}`,
  ],
  ["action_log.updated", `{"id":"out","output":${NASTY},"again":5.0}`],
  ["action_log.completed", `{"id":"out","error":1e2,"completedAt":"2026-03-01T00:00:00.000Z"}`],
  ["action_log.created", `{"id":"call","type":"TOOL_CALL","parentActionId":"out","output":-0.0}`],
];

function records(): SourceRecord[] {
  const offsets = new Map<string, number>();
  return EVENTS.map(([event, data]) => {
    const topic = topicOf(event) as string;
    const offset = offsets.get(topic) ?? 0;
    offsets.set(topic, offset + 1);
    const head = `{"id":"${randomUUID()}","event":"${event}","occurredAt":"2026-03-01T00:00:00Z","workspaceId":"ws-1","leadId":"lead-1"`;
    const value = Buffer.from(`${head},"data":${data}}`);
    return { topic, partition: 0, offset, key: Buffer.from("lead-1"), timestamp: 0, headers: {}, value };
  });
}

/** The same record as a file's line gives it, whose value is a part of a parsed text. */
const fromLine = ({ topic, partition, offset, value }: SourceRecord): SourceRecord =>
  recordOfLine(
    { topic, partition, nextOffset: offset, leastOffset: offset },
    `{"key":"lead-1","timestamp":0,"value":${value}}`,
  );

const EXPECTED: readonly string[] = [
  `"firstName":"Ann \\ud83d"`,
  `"lastName":"\\uD83Dx"`,
  `"externalLeadId":"ext-\\uD83D"`,
  `"conditions":${NASTY},"items":[{"id":"i","value":1e400,"itemOverride":${NASTY},"checklistItem":{"id":"ci","conditions":${NASTY},"validationRules":${NASTY},"max":1.10,"min":0.10},"alternateValues":[1.0,${NASTY}],"note":2.0}`,
  `"value":{"amount":10.00}`,
  `"extra":7.0,"weight":3.0`,
  `"size":1e3,"metadata":${NASTY}`,
  `"summary":"half \\uDE00","pages":4.0,"score":0.90`,
  `"validationResult":${NASTY}`,
  `"input":{"direction":"OUTBOUND","n":${NASTY}},"output":${NASTY},"error":1e2`,
  `"tool":{"id":"t","cost":0.50}`,
  `"body":"\\ud83d"`,
  `"cost":1.0`,
  `"again":5.0`,
  `"toolCalls":[{"id":"call","type":"TOOL_CALL","output":-0.0,"parentActionId":"out"}]`,
];

test.each([
  ["all at once", "bytes", 99],
  ["one by one, with the state read back each time", "bytes", 1],
  ["from a file's lines", "lines", 99],
  ["from a file's lines, one by one", "lines", 1],
] as const)("numbers and cut texts come out as they came in: %s", (_what, form, size) => {
  const projector = openProjector();
  const all = form === "lines" ? records().map(fromLine) : records();
  for (let from = 0; from < all.length; from += size) projector.foldBatch(all.slice(from, from + size));
  expect(deadLettersOf(projector.store)).toEqual([]);
  const body = viewsOf(projector.store)["lead-1"]?.body ?? "";
  for (const text of EXPECTED) expect(body).toContain(text);
  projector.close();
});

test("a webhook's body passes its numbers through as well", () => {
  const projector = openProjector(join(folder, "views.sqlite"));
  const projection = createProjection(
    projector.store,
    createDecoder({ maxEventBytes: MAX_EVENT_BYTES, webhookWorkspaceId: "ws-1" }),
  );
  const bodies = [
    `{"event":"lead.created","data":{"leadId":"lead-1","externalId":null}}`,
    `{"event":"lead.updated","data":{"leadId":"lead-1","externalId":"x","checklistItems":[{"id":"i","value":1e400,"documents":[{"id":"d","validationResult":${NASTY}}]}]}}`,
    `{"event":"action_log.failed","actionLog":{"id":"log","leadId":"lead-1","input":${NASTY}},"occurredAt":"2026-03-01T00:00:00Z"}`,
    `{"event":"document.extracted","leadId":"lead-1","documentId":"d","extractionResult":{"items":[{"leadChecklistItemId":"n","value":10.00}]}}`,
    `{"event":"document.received","document":{"id":"d","leadId":"lead-1","size":10,"metadata":${NASTY}}}`,
  ];
  bodies.forEach((body, offset) => {
    const record = {
      topic: "omni.webhook",
      partition: 0,
      offset,
      key: null,
      timestamp: 1_000,
      headers: {},
      value: Buffer.from(body),
    };
    projection.fold(record);
    projection.advance([positionAfter(record)]);
    projection.commit();
  });
  const body = viewsOf(projector.store)["lead-1"]?.body ?? "";
  for (const text of [
    `"input":${NASTY}`,
    `"value":1e400`,
    `"validationResult":${NASTY}`,
    `"metadata":${NASTY}`,
  ])
    expect(body).toContain(text);
  projector.close();
});

test("a dead letter keeps its record's digits, and says which number can't be counted with", () => {
  const projector = openProjector();
  const text =
    '{"id":"e","event":"document.received","occurredAt":"2026-03-01T00:00:00Z","workspaceId":"ws-1","leadId":"lead-1","data":{"id":"d","size":9007199254740993}}';
  const record = {
    topic: "omni.document",
    partition: 0,
    offset: 0,
    key: Buffer.from("lead-1"),
    timestamp: 0,
    headers: {},
    value: Buffer.from(text),
  };
  projector.foldBatch([record]);
  const [letter] = deadLettersOf(projector.store);
  expect(letter?.value?.toString()).toBe(text);
  expect(letter).toMatchObject({
    code: "invalid_event",
    reason: expect.stringMatching(/^\/data\/size .* digits/),
  });
  projector.close();
});
