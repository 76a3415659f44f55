// What the API keeps in memory: all that it takes is counted, and what is erased goes.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createPresigner } from "../../../api/presign.ts";
import { createResponder } from "../../../api/representation.ts";
import type { HeldRow } from "../../../api/rows.ts";
import { openViews } from "../../../api/views.ts";
import { openApi } from "../../harness/api.ts";
import { createSpeaker } from "../../harness/events.ts";
import { until } from "../../harness/wait.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
let api: ReturnType<typeof openApi>;
let speaker: ReturnType<typeof createSpeaker>;
let views: ReturnType<typeof openViews>;
beforeEach(() => {
  api = openApi();
  speaker = createSpeaker();
  views = openViews(databaseDirOf(), 4 * 2 ** 20);
});
afterEach(async () => {
  views.close();
  await api.close();
});
const databaseDirOf = () => api.projector.store.db.name.replace(/\/[^/]+$/, "");

test("the answers that are kept beside a row are counted with it, and not twice", async () => {
  api.projector.foldBatch([
    speaker.say({ event: "lead.created", data: { activitySummary: "word ".repeat(2_000) } }),
    speaker.say({ event: "document.received", data: { id: "d", storageKey: "k" } }),
  ]);
  let now = Date.parse("2026-03-01T10:07:00Z");
  const respond = createResponder(
    createPresigner(undefined, () => now),
    views.grow,
  );
  const row = views.read("lead-1") as HeldRow;
  const alone = row.bytes;
  const plain = await respond(row, {});
  expect(row.bytes - alone).toBeGreaterThanOrEqual(plain.body?.length ?? 0);
  const zstd = await respond(row, { "accept-encoding": "zstd" });
  const both = row.bytes;
  expect(both - alone).toBeGreaterThanOrEqual((plain.body?.length ?? 0) + (zstd.body?.length ?? 0));
  await respond(row, { "accept-encoding": "zstd" });
  expect(row.bytes).toBe(both);
  // In another time bucket the older answers are let go.
  now += 900_000;
  await respond(row, {});
  expect(row.bytes).toBeLessThan(both);
});

test("an erased lead's row is let go though nobody reads it", async () => {
  api.projector.foldBatch([speaker.say({ event: "lead.created", data: { firstName: "Ann" } })]);
  const row = new WeakRef(views.read("lead-1") as HeldRow);
  api.projector.foldBatch([speaker.record("omni.lead", { key: Buffer.from("lead-1") })]);
  await until("the row's end", async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    collectGarbage();
    return row.deref() === undefined;
  });
  expect(views.read("lead-1")).toBeUndefined();
});
