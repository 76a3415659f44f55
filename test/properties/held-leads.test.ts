// Leads stay in memory between commits, and part of what they have does not: neither may ever show in a view.
import { tmpdir } from "node:os";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { FoldedBatch } from "../../projector/projection/folded-batch.ts";
import { createFolding } from "../../projector/projection/folding.ts";
import { createLeadReader } from "../../projector/projection/lead-reader.ts";
import { createProjection, type Projection } from "../../projector/projection/projection.ts";
import { createWriting } from "../../projector/projection/writing.ts";
import { type BesideFold, refoldLeads } from "../../projector/rebuild/refold.ts";
import { partitionName, type Sink, type Source, type SourceRecord } from "../../projector/source/source.ts";
import type { Store } from "../../projector/store/store.ts";
import { createRandom, type Random } from "../generate/random.ts";
import { createSpeaker } from "../harness/events.ts";
import { diskTrouble, failingStore } from "../harness/failing-store.ts";
import {
  bytesOf,
  decode,
  openProjector,
  positionAfter,
  type StoredView,
  viewsOf,
} from "../harness/projector.ts";
import { oracleViews } from "../oracle/oracle.ts";
import { history, recordsOf } from "./arbitrary-history.ts";

/** Bytes of leads that may stay in memory: none, about one, all. */
const mostBytes = fc.constantFrom(0, 5_000, 64 * 1024 ** 2);

/** What comes between two commits. */
const step = fc.record({
  size: fc.integer({ min: 1, max: 9 }),
  does: fc.constantFrom("nothing", "nothing", "fails", "restarts", "refolds"),
});
const plan = fc.array(step, { minLength: 1, maxLength: 20 });

test("whatever comes between two commits, the views are those of one fold", async () => {
  await fc.assert(
    fc.asyncProperty(history, plan, mostBytes, async (entries, steps, most) => {
      const records = recordsOf(entries);
      const once = openProjector();
      const projector = openProjector();
      const flaky = failingStore(projector.store, diskTrouble);
      const open = () => createProjection(flaky.store, decode, { mostBytes: most });
      let projection = open();
      try {
        once.foldBatch(records);
        for (let from = 0, index = 0; from < records.length; index++) {
          const { size, does } = steps[index % steps.length] as { size: number; does: string };
          fold(projection, records.slice(from, from + size));
          from += size;
          // What could not be written is written with the next commit, behind what came meanwhile.
          if (does === "fails" && from < records.length) {
            flaky.failNext();
            expect(() => projection.commit()).toThrow("disk I/O error");
            continue;
          }
          projection.commit();
          if (does === "restarts") projection = open();
          if (does === "refolds") await refold(projection, projector.store, records.slice(0, from));
        }
        projection.commit();
        expect(bytesOf(projector.store)).toEqual(bytesOf(once.store));
      } finally {
        projector.close();
        once.close();
      }
    }),
    { numRuns: 60 },
  );
});

test("batches that are written while others are folded make the same views", () => {
  const stepInFlight = fc.record({
    size: fc.integer({ min: 1, max: 6 }),
    does: fc.constantFrom("take", "take", "write", "fold on"),
  });
  const steps = fc.array(stepInFlight, { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(fc.oneof(history.map(recordsOf), someLogs), steps, mostBytes, (records, inFlight, most) => {
      const once = openProjector();
      const projector = openProjector();
      const { store } = projector;
      const folding = createFolding(createLeadReader(store), decode, { positions: [], mostBytes: most });
      const writing = createWriting(store);
      const taken: FoldedBatch[] = [];
      const writeOldest = () => {
        const batch = taken.shift();
        if (!batch) return;
        writing.write(batch);
        folding.settled();
      };
      try {
        once.foldBatch(records);
        for (let from = 0, index = 0; from < records.length; index++) {
          const { size, does } = inFlight[index % inFlight.length] as { size: number; does: string };
          fold(folding, records.slice(from, from + size));
          from += size;
          if (does === "take") taken.push(folding.take());
          if (does === "write") writeOldest();
        }
        taken.push(folding.take());
        while (taken.length > 0) writeOldest();
        expect(bytesOf(store)).toEqual(bytesOf(once.store));
      } finally {
        projector.close();
        once.close();
      }
    }),
    { numRuns: 60 },
  );
});

/** So many logs of one lead that some become older ones. */
const someLogs = fc.nat().map((seed) => manyLogs(createRandom(seed), 420).map(({ record }) => record));

test("a lead of many logs shows what a fold of all of them in memory shows", () => {
  fc.assert(
    fc.property(fc.nat(), mostBytes, fc.integer({ min: 20, max: 400 }), (seed, most, size) => {
      const entries = manyLogs(createRandom(seed), 900);
      const records = entries.map(({ record }) => record);
      const projector = openProjector();
      const open = () => createProjection(projector.store, decode, { mostBytes: most });
      let projection = open();
      try {
        for (let from = 0; from < records.length; from += size) {
          fold(projection, records.slice(from, from + size));
          projection.commit();
          if (from % 3 === 0) projection = open();
        }
        const [stored] = Object.values(viewsText(projector.store));
        expect(stored).toBe(Object.values(oracleViews(entries))[0]);
        const older = projector.store.db.prepare("SELECT count(*) FROM action_log").pluck().get();
        expect(older).toBeGreaterThan(100);
      } finally {
        projector.close();
      }
    }),
    { numRuns: 12 },
  );
});

test("a lead of many items, documents and links shows what a fold of all of them at once shows", () => {
  fc.assert(
    fc.property(fc.nat(), mostBytes, fc.integer({ min: 5, max: 100 }), (seed, most, size) => {
      const entries = manyEntities(createRandom(seed), 700);
      const records = entries.map(({ record }) => record);
      const projector = openProjector();
      const open = () => createProjection(projector.store, decode, { mostBytes: most });
      let projection = open();
      try {
        for (let from = 0; from < records.length; from += size) {
          fold(projection, records.slice(from, from + size));
          projection.commit();
          if (from % 3 === 0) projection = open();
        }
        const [{ body, number }] = Object.values(viewsOf(projector.store)) as [StoredView];
        expect(body).toBe(Object.values(oracleViews(entries))[0]);
        // Made anew from what is stored, it is known to be the same.
        projection = open();
        fold(projection, [afterAll(records)]);
        projection.commit();
        expect(Object.values(viewsOf(projector.store))[0]?.number).toBe(number);
      } finally {
        projector.close();
      }
    }),
    { numRuns: 10 },
  );
});

/** An event that touches everything's topic and changes nothing. */
function afterAll(records: readonly SourceRecord[]): SourceRecord {
  const offset = records.filter(({ topic }) => topic === "omni.document").length;
  const { say } = createSpeaker("after");
  const record = say({ event: "document.unlinked", data: { id: "no such link" } });
  return { ...record, offset };
}

/** Items, documents and links of one lead, many of each, in and out of order. */
function manyEntities(random: Random, count: number) {
  const { say } = createSpeaker();
  const entries: { leadId: string; event: Record<string, unknown> | null; record: SourceRecord }[] = [];
  const tell = (event: string, data: Record<string, unknown>) => {
    const record = say({ event, data });
    entries.push({ leadId: "lead-1", event: JSON.parse(String(record.value)), record });
  };
  const id = (name: string) => `${name}-${random.integer(0, 150)}`;
  const time = () => new Date(1_767_225_600_000 + random.integer(0, 5_000) * 1_000).toISOString();
  const item = (itemId: string) => ({
    id: itemId,
    value: "é".repeat(random.integer(0, 9)),
    status: random.pick(["TODO", "NEEDS_REVIEW"]),
    checklistItem: { fieldType: random.pick(["TEXT", "FILE"]) },
  });
  tell("lead.created", {});
  tell("checklist.assigned", {
    groups: ["a", "b"].map((group) => ({
      id: group,
      items: Array.from({ length: 70 }, (_, index) => item(`item-${group === "a" ? index : index + 80}`)),
    })),
  });
  for (let index = 0; index < count; index++) {
    const what = random.fraction();
    if (what < 0.4)
      tell("document.received", {
        id: id("document"),
        filename: `f-${index}`,
        storageKey: random.chance(0.8) ? `key-${index}` : null,
        ...(random.chance(0.9) ? { createdAt: time() } : {}),
      });
    else if (what < 0.7)
      tell("document.linked", {
        id: id("link"),
        leadChecklistItemId: id("item"),
        documentId: id("document"),
        overallValid: random.chance(0.5),
      });
    else if (what < 0.74) tell("document.unlinked", { id: id("link") });
    else if (what < 0.78) tell("document.deleted", { id: id("document") });
    else if (what < 0.82) tell("checklist_item.removed", { id: id("item") });
    else tell("checklist_item.added", { groupId: random.pick(["a", "b", null]), item: item(id("item")) });
  }
  return entries;
}

const viewsText = ({ db }: Store): string[] =>
  db
    .prepare<[], Buffer>("SELECT body FROM lead_view")
    .pluck()
    .all()
    .map((body) => body.toString("utf8"));

/** The logs of one lead, each again and again, with times that jump, and with every role. */
function manyLogs(random: Random, count: number) {
  const { say } = createSpeaker();
  const entries: { leadId: string; event: Record<string, unknown> | null; record: SourceRecord }[] = [];
  const tell = (event: string, data: Record<string, unknown>) => {
    const record = say({ event, data });
    entries.push({ leadId: "lead-1", event: JSON.parse(String(record.value)), record });
  };
  const time = () => new Date(1_767_225_600_000 + random.integer(0, 5_000) * 1_000).toISOString();
  const ids: string[] = [];
  tell("lead.created", {});
  for (let index = 0; index < count; index++) {
    const known = ids.length > 0 && random.chance(0.4) ? random.pick(ids) : undefined;
    if (known !== undefined && random.chance(0.7)) {
      const moved = random.chance(0.3) ? { createdAt: time() } : {};
      const status = random.pick(["COMPLETED", "PENDING", "AWAITING_APPROVAL", "FAILED"]);
      tell("action_log.updated", { id: known, status, summary: `Again ${index}`, ...moved });
      continue;
    }
    const id = known ?? `log-${index}`;
    if (known === undefined) ids.push(id);
    tell("action_log.created", {
      id,
      type: random.pick(["FOLLOW_UP_MESSAGE", "TOOL_CALL", "TOOL_CALL", "MESSAGE"]),
      status: random.pick(["COMPLETED", "PENDING", "AWAITING_APPROVAL"]),
      input: { direction: "OUTBOUND" },
      parentActionId: random.chance(0.5) ? random.pick(["log-0", "log-1", "log-2"]) : null,
      ...(random.chance(0.9) ? { createdAt: time() } : {}),
      ...(random.chance(0.5) ? { completedAt: time(), scheduledAt: time() } : {}),
    });
  }
  return entries;
}

/** Folds every lead again from its first event on, as the owner does it between two commits. */
async function refold(projection: Projection, store: Store, records: readonly SourceRecord[]): Promise<void> {
  const beside: BesideFold = {
    betweenCommits: async (work) => {
      projection.commit();
      return work(store, projection.write);
    },
    tap: () => () => undefined,
  };
  const read = async (sink: Sink) =>
    sink.handle({ records, positions: [...lastOf(records)].map(positionAfter), more: false });
  const source: Source = {
    ends: () => [],
    owns: () => true,
    trouble: () => undefined,
    run: read,
    readToEnd: read,
  };
  const leadIds = new Set(records.map(({ key }) => String(key)));
  await refoldLeads({ beside, decode, openLog: () => source, databaseDir: tmpdir(), leadsOf: () => leadIds });
}

/** Each partition's last record. */
const lastOf = (records: readonly SourceRecord[]) =>
  new Map(records.map((record) => [partitionName(record), record])).values();

function fold(projection: Pick<Projection, "fold" | "advance">, records: readonly SourceRecord[]): void {
  for (const record of records) {
    projection.fold(record);
    projection.advance([positionAfter(record)]);
  }
}
