// Rule: cost. What one event writes and reads is counted, in pages and rows, not timed.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createProjection } from "../../../../projector/projection/projection.ts";
import { PIECES_OF_A_PART } from "../../../../projector/store/leads.ts";
import { openStore, type Store } from "../../../../projector/store/store.ts";
import { createSpeaker } from "../../../harness/events.ts";
import { decode, positionAfter } from "../../../harness/projector.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cost-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const timeOf = (index: number) => new Date(1_767_225_600_000 + index * 1_000).toISOString();

type EventWithData = readonly [event: string, data: Record<string, unknown>];

/** The pages that one more event writes into a lead with what was said of it before. */
function pagesOf(before: readonly EventWithData[], event: EventWithData, { cold = false } = {}): number {
  const file = join(folder, `${Math.random()}.sqlite`);
  const store = openStore(file);
  const { say } = createSpeaker();
  let projection = createProjection(store, decode);
  const fold = ([event, data]: EventWithData) => {
    const record = say({ event, data });
    projection.fold(record);
    projection.advance([positionAfter(record)]);
  };
  try {
    fold(["lead.created", { firstName: "Ann" }]);
    for (const one of before) fold(one);
    projection.commit();
    if (cold) projection = createProjection(store, decode);
    const pages = pagesInLog(file);
    fold(event);
    projection.commit();
    return pagesInLog(file) - pages;
  } finally {
    store.close();
  }
}

/** A field of the write-ahead log's index (https://sqlite.org/walformat.html). */
const pagesInLog = (file: string): number => readFileSync(`${file}-shm`).readUInt32LE(16);

const logs = (count: number, data: Record<string, unknown>): EventWithData[] =>
  Array.from({ length: count }, (_, index) => [
    "action_log.created",
    { id: `log-${index}`, createdAt: timeOf(index), completedAt: timeOf(index), ...data },
  ]);

const KINDS: readonly (readonly [string, Record<string, unknown>])[] = [
  ["follow-ups", { type: "FOLLOW_UP_MESSAGE", status: "COMPLETED" }],
  ["drafts", { type: "MESSAGE", status: "AWAITING_APPROVAL" }],
  ["tool calls of the last action", { type: "TOOL_CALL", status: "COMPLETED", parentActionId: "action" }],
];

test.each(KINDS)("one event writes as much into a lead with 5,000 %s as into one with 300", (_, data) => {
  const action: EventWithData = [
    "action_log.created",
    { id: "action", type: "FOLLOW_UP_MESSAGE", status: "COMPLETED", completedAt: timeOf(9_999) },
  ];
  const [light, heavy] = [300, 5_000].map((count) => [...logs(count, data), action]) as [
    EventWithData[],
    EventWithData[],
  ];
  const event: EventWithData = ["action_log.updated", { id: "log-7", summary: "Changed" }];
  for (const cold of [false, true])
    expect(pagesOf(heavy, event, { cold })).toBeLessThan(1.5 * pagesOf(light, event, { cold }) + 2);
});

test("a change of one of many entities writes none of the others' state", () => {
  const items = Array.from({ length: 1_000 }, (_, index) => ({
    id: `item-${index}`,
    value: "x".repeat(200),
  }));
  const documents = Array.from(
    { length: 1_000 },
    (_, index): EventWithData => [
      "document.received",
      { id: `document-${index}`, filename: "x".repeat(200), createdAt: timeOf(index) },
    ],
  );
  const store = openStore(":memory:");
  const written = writtenPieces(store);
  const { say } = createSpeaker();
  const projection = createProjection(store, decode);
  const fold = ([event, data]: EventWithData) => {
    const record = say({ event, data });
    projection.fold(record);
    projection.advance([positionAfter(record)]);
  };
  fold(["checklist.assigned", { groups: [{ id: "group", items }] }]);
  for (const document of documents) fold(document);
  projection.commit();
  for (const event of [
    ["checklist_item.updated", { id: "item-500", value: "changed" }],
    ["document.extracted", { id: "document-500", summary: "changed" }],
    ["document.linked", { id: "link", leadChecklistItemId: "item-500", documentId: "document-500" }],
  ] satisfies EventWithData[]) {
    written.reset();
    fold(event);
    projection.commit();
    // The piece that it stands in, and the one with what is small.
    expect(written.rows()).toBeLessThanOrEqual(2);
    expect(written.characters()).toBeLessThan(10_000);
  }
  store.close();
});

/** Counts the rows of state that are written. */
function writtenPieces({ db }: Store) {
  db.exec(`CREATE TEMP TABLE written (characters INTEGER);
    CREATE TEMP TRIGGER inserted AFTER INSERT ON main.lead_piece BEGIN INSERT INTO written VALUES (length(new.content)); END;
    CREATE TEMP TRIGGER updated AFTER UPDATE ON main.lead_piece BEGIN INSERT INTO written VALUES (length(new.content)); END;`);
  const one = (sql: string) => db.prepare<[], number>(sql).pluck().get() as number;
  return {
    reset: () => void db.exec("DELETE FROM written"),
    rows: () => one("SELECT count(*) FROM written"),
    characters: () => one("SELECT coalesce(sum(characters), 0) FROM written"),
  };
}

test("a change of one lead's name loads no state of those that it matches", () => {
  const store = openStore(":memory:");
  const { say } = createSpeaker();
  const fold = (projection: ReturnType<typeof createProjection>, leadId: string, said: EventWithData) => {
    const record = say({ leadId, event: said[0], data: said[1] });
    projection.fold(record);
    projection.advance([positionAfter(record)]);
  };
  const first = createProjection(store, decode);
  for (let index = 0; index < 60; index++)
    fold(first, `lead-${index}`, ["lead.created", { email: "same@example.com", createdAt: timeOf(index) }]);
  first.commit();
  // Who holds nothing in memory, and whose state of the others is no state at all, still refreshes their views.
  const mine = store.leads.numberOf("lead-0", "ws-1") as number;
  store.db.exec(`UPDATE lead_piece SET content = '' WHERE place / ${PIECES_OF_A_PART} <> ${mine}`);
  const second = createProjection(store, decode);
  fold(second, "lead-0", ["lead.updated", { firstName: "Renamed" }]);
  second.commit();
  const bodies = store.db.prepare<[], Buffer>("SELECT body FROM lead_view").pluck().all().map(String);
  expect(bodies.filter((body) => body.includes('"firstName":"Renamed"'))).toHaveLength(60);
  store.close();
});
