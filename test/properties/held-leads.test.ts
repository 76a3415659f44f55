// Leads stay in memory between commits, and part of what they have does not: neither may ever show in a view.
import fc from "fast-check";
import { expect, test } from "vitest";
import { createProjection, type Projection } from "../../projector/projection/projection.ts";
import { type BesideFold, refoldLeads } from "../../projector/rebuild/refold.ts";
import { partitionName, type Sink, type Source, type SourceRecord } from "../../projector/source/source.ts";
import type { Store } from "../../projector/store/store.ts";
import { createRandom, type Random } from "../generate/random.ts";
import { createSpeaker } from "../harness/events.ts";
import { bytesOf, decode, openProjector, positionAfter } from "../harness/projector.ts";
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
      const flaky = failing(projector.store);
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
  await refoldLeads(beside, source, decode, () => leadIds);
}

/** Each partition's last record. */
const lastOf = (records: readonly SourceRecord[]) =>
  new Map(records.map((record) => [partitionName(record), record])).values();

function fold(projection: Projection, records: readonly SourceRecord[]): void {
  for (const record of records) {
    projection.fold(record);
    projection.advance([positionAfter(record)]);
  }
}

/** A store whose next transaction is rolled back by trouble that passes. */
function failing(store: Store) {
  let fails = false;
  const once =
    (transaction: Store["transaction"]): Store["transaction"] =>
    (work) =>
      transaction((next) => {
        const result = work(next);
        if (!fails) return result;
        fails = false;
        throw Object.assign(new Error("disk I/O error"), { name: "SqliteError", code: "SQLITE_IOERR" });
      });
  return {
    failNext: () => {
      fails = true;
    },
    store: { ...store, transaction: once(store.transaction), erasing: once(store.erasing) },
  };
}
