// What must hold for every history, with repeats and odd numbers anywhere.
import fc from "fast-check";
import { expect, test } from "vitest";
import { createProjection } from "../../projector/projection/projection.ts";
import type { SourceRecord } from "../../projector/source/source.ts";
import { failingStore } from "../harness/failing-store.ts";
import { bytesOf, decode, openProjector, positionAfter, viewsOf } from "../harness/projector.ts";
import { oracleViews } from "../oracle/oracle.ts";
import { type HistoryEntry, history, interleaved, recordsOf } from "./arbitrary-history.ts";

const RUNS = { numRuns: 200 };
const choices = fc.array(fc.nat(100), { minLength: 1, maxLength: 60 });

function foldAll(records: readonly SourceRecord[]): Record<string, string> {
  const projector = openProjector();
  try {
    projector.foldBatch(records);
    return bytesOf(projector.store);
  } finally {
    projector.close();
  }
}

test("the stored view is the oracle's", () => {
  fc.assert(
    fc.property(history, (entries) => {
      const projector = openProjector();
      try {
        projector.foldBatch(recordsOf(entries));
        const stored = Object.entries(viewsOf(projector.store)).map(([id, { body }]) => [id, body]);
        expect(Object.fromEntries(stored)).toEqual(oracleViews(entries.map(normalized)));
      } finally {
        projector.close();
      }
    }),
    { ...RUNS, numRuns: 600 },
  );
});

/** The oracle reads what the decoder read: the event after a trip through JSON, each number by its own digits. */
const normalized = ({ leadId, event }: HistoryEntry) => ({
  leadId,
  event:
    event === null
      ? null
      : (JSON.parse(JSON.stringify(event), (_name, value, { source }) =>
          typeof value === "number" ? JSON.rawJSON(source as string) : value,
        ) as Record<string, unknown>),
});

test("an id that comes again is passed over as long as its topic remembers it, however the events are cut into batches", () => {
  const said = fc.array(fc.nat(150), { minLength: 200, maxLength: 500 });
  fc.assert(
    fc.property(said, fc.integer({ min: 1, max: 200 }), (ids, size) => {
      const entries = ids.map((id, index): HistoryEntry => {
        const data = { firstName: `${index}` };
        const event = { id: `e-${id}`, event: index === 0 ? "lead.created" : "lead.updated", data };
        const occurredAt = "2026-03-01T00:00:00.000Z";
        return {
          topic: "omni.lead",
          leadId: "lead-a",
          event: { ...event, occurredAt, workspaceId: "ws-1", leadId: "lead-a" },
        };
      });
      const projector = openProjector();
      const records = recordsOf(entries);
      try {
        for (let from = 0; from < records.length; from += size)
          projector.foldBatch(records.slice(from, from + size));
        expect(viewsOf(projector.store)["lead-a"]?.body).toBe(oracleViews(entries)["lead-a"]);
      } finally {
        projector.close();
      }
    }),
    { numRuns: 40 },
  );
});

test("every URL slot stands between the quotes of an empty signedUrl, in ascending order", () => {
  fc.assert(
    fc.property(history, (entries) => {
      const projector = openProjector();
      try {
        projector.foldBatch(recordsOf(entries));
        for (const { body, urlSlots } of Object.values(viewsOf(projector.store))) {
          const bytes = Buffer.from(body);
          let last = 0;
          for (const [offset] of urlSlots) {
            expect(bytes.subarray(offset - 13, offset + 1).toString()).toBe('"signedUrl":""');
            expect(offset).toBeGreaterThan(last);
            last = offset;
          }
        }
      } finally {
        projector.close();
      }
    }),
    RUNS,
  );
});

test("the same bytes for every interleaving that keeps each partition's order", () => {
  fc.assert(
    fc.property(history, choices, (entries, order) => {
      const records = recordsOf(entries);
      expect(foldAll(interleaved(records, order))).toEqual(foldAll(records));
    }),
    RUNS,
  );
});

test("the same bytes for every split into batches, with rolled back commits and redelivery of any suffix", () => {
  const batches = fc.array(
    fc.record({ size: fc.integer({ min: 1, max: 9 }), fails: fc.boolean(), redelivers: fc.nat(12) }),
    { minLength: 1, maxLength: 20 },
  );
  fc.assert(
    fc.property(history, batches, (entries, plan) => {
      const records = recordsOf(entries);
      const projector = openProjector();
      const { store } = projector;
      const broken = failingStore(store, () => new Error("the process dies here"));
      let projection = createProjection(broken.store, decode);
      try {
        for (let from = 0, step = 0; from < records.length; step++) {
          const { size, fails, redelivers } = plan[step % plan.length] as {
            size: number;
            fails: boolean;
            redelivers: number;
          };
          const batch = records.slice(Math.max(0, from - redelivers), from + size);
          if (fails) {
            broken.failNext();
            foldInto(projection, batch);
            expect(() => projection.commit()).toThrow("the process dies here");
            // A new process knows only what is stored.
            projection = createProjection(broken.store, decode);
          }
          foldInto(projection, batch);
          projection.commit();
          from += size;
        }
        expect(bytesOf(store)).toEqual(foldAll(records));
      } finally {
        projector.close();
      }
    }),
    RUNS,
  );
});

test("the number grows with every change of the bytes, and only then", () => {
  fc.assert(
    fc.property(history, (entries) => {
      const projector = openProjector();
      try {
        let before = viewsOf(projector.store);
        for (const record of recordsOf(entries)) {
          projector.foldBatch([record]);
          const after = viewsOf(projector.store);
          const last = Math.max(0, ...Object.values(before).map(({ number }) => number));
          for (const [id, { body, urlSlots, number }] of Object.entries(after)) {
            const old = before[id];
            const same = old?.body === body && JSON.stringify(old.urlSlots) === JSON.stringify(urlSlots);
            if (same) expect(number).toBe(old?.number);
            else expect(number).toBeGreaterThan(last);
          }
          before = after;
        }
      } finally {
        projector.close();
      }
    }),
    { numRuns: 60 },
  );
});

function foldInto(projection: ReturnType<typeof createProjection>, records: readonly SourceRecord[]): void {
  const last = new Map<string, SourceRecord>();
  for (const record of records) {
    projection.fold(record);
    last.set(`${record.topic}/${record.partition}`, record);
  }
  projection.advance([...last.values()].map(positionAfter));
}
