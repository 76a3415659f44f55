// What each record of a lead changed in its view, and the order in which they are told.
import { expect, test } from "vitest";
import { type HistoryRecord, inOrder } from "../../../../projector/rebuild/lead-history.ts";
import { leadSteps } from "../../../../projector/rebuild/lead-steps.ts";
import { viewChanges } from "../../../../projector/rebuild/view-changes.ts";
import type { SourceRecord } from "../../../../projector/source/source.ts";
import { parseExactly } from "../../../../shared/events/exact-json.ts";
import { createSpeaker } from "../../../harness/events.ts";
import { decode } from "../../../harness/projector.ts";

const historyOf = (...records: SourceRecord[]): HistoryRecord[] =>
  records.map((record) => {
    const decoded = decode(record);
    const time = "erase" in decoded ? "" : (decoded.events[0]?.occurredAt ?? "");
    return { record, decoded, code: undefined, time };
  });

test("fields go by name, and what lists hold by its id", () => {
  const before = {
    lead: { firstName: "Ann" },
    documents: [
      { id: "a", size: 1 },
      { id: "b", size: 2 },
    ],
    tags: ["x"],
  };
  const after = {
    lead: { firstName: "Anna" },
    documents: [
      { id: "c", size: 3 },
      { id: "a", size: 1 },
      { id: "b", size: 4 },
    ],
    tags: ["x", "y"],
    status: "REVIEW",
  };
  expect(viewChanges(before, after)).toEqual([
    { path: "lead.firstName", kind: "changed", before: '"Ann"', after: '"Anna"' },
    { path: "documents[c]", kind: "added", before: null, after: '{"id":"c","size":3}' },
    { path: "documents[b].size", kind: "changed", before: "2", after: "4" },
    { path: "tags", kind: "changed", before: '["x"]', after: '["x","y"]' },
    { path: "status", kind: "added", before: null, after: '"REVIEW"' },
  ]);
});

test("an order, another entity in the same place, digits, and a view that is gone are changes", () => {
  const list = [{ id: "a" }, { id: "b" }];
  expect(viewChanges({ list }, { list: [...list].reverse() })).toEqual([
    { path: "list", kind: "moved", before: '["a","b"]', after: '["b","a"]' },
  ]);
  expect(viewChanges({ lastAction: { id: "a", n: 1 } }, { lastAction: { id: "b", n: 1 } })).toHaveLength(1);
  expect(viewChanges(parseExactly('{"n":1.0}'), parseExactly('{"n":1.00}'))).toEqual([
    { path: "n", kind: "changed", before: "1.0", after: "1.00" },
  ]);
  expect(viewChanges({ status: "REVIEW" }, null)).toEqual([
    { path: "status", kind: "removed", before: '"REVIEW"', after: null },
  ]);
  expect(viewChanges({ n: 1, list }, { n: 1, list })).toEqual([]);
  const [long] = viewChanges({ text: "" }, { text: "x".repeat(5_000) });
  expect(long?.after).toMatch(/^"x{599}… \(5002 characters\)$/);
});

test("each step tells what it changed, whichever page it stands on; an erase takes the view", () => {
  const { say, record } = createSpeaker();
  const records = historyOf(
    say({ event: "lead.created", data: { firstName: "Ann" } }),
    say({ event: "lead.updated", data: { firstName: "Anna" } }),
    say({ event: "lead.updated", data: { firstName: "Anna" } }),
    record("omni.lead", {}),
    say({ event: "lead.updated", data: { firstName: "Late" } }),
  );
  const all = leadSteps("lead-1", records, 0, 10);
  expect(all.total).toBe(5);
  const named = all.steps.map(({ changes }) => changes.find(({ path }) => path === "lead.firstName"));
  expect(all.steps[0]?.changes.map(({ kind }) => kind)).toContain("added");
  expect(named[1]).toMatchObject({ before: '"Ann"', after: '"Anna"' });
  expect(named[2]).toBeUndefined();
  expect(all.steps[3]?.changes.every(({ kind }) => kind === "removed")).toBe(true);
  expect(all.steps[4]).toMatchObject({ outcome: "dropped", changes: [], assembleMs: 0 });
  for (const { foldMs } of all.steps) expect(foldMs).toBeGreaterThanOrEqual(0);
  const second = leadSteps("lead-1", records, 1, 1);
  expect(second.steps[0]?.changes).toEqual(all.steps[1]?.changes);
});

test("records of one partition stay in their order, whatever times they tell", () => {
  const { say } = createSpeaker();
  const [a, b, c] = historyOf(
    say({ event: "lead.created" }),
    say({ event: "lead.updated", data: { firstName: "Ann" } }),
    say({ event: "action_log.created", data: { id: "log-1", type: "MESSAGE", status: "COMPLETED" } }),
  ) as [HistoryRecord, HistoryRecord, HistoryRecord];
  const told = [
    { ...a, time: "2026-03" },
    { ...b, time: "2026-01" },
    { ...c, time: "2026-02" },
  ];
  expect(inOrder(told).map(({ time }) => time)).toEqual(["2026-02", "2026-03", "2026-01"]);
});
