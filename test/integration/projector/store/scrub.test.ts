import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createScrubber, markUnscrubbed } from "../../../../projector/store/scrub.ts";
import { openStoreToRead } from "../../../../projector/store/store.ts";
import { generationFile } from "../../../../shared/generation.ts";
import { createSpeaker } from "../../../harness/events.ts";
import { openProjector } from "../../../harness/projector.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "scrub-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("the mark of an erase stays until the file was rewritten and its log was cut, and where another erase came between", async () => {
  const projector = openProjector(join(folder, "views.sqlite"));
  const { store } = projector;
  const { say, record } = createSpeaker();
  const mark = () => store.meta.get("unscrubbed");
  let asked = 0;
  let truncated = false;
  const scrub = createScrubber({
    store,
    checkpointer: { truncate: () => void asked++, isTruncated: () => truncated },
    between: async (work) => work(),
  });
  try {
    projector.foldBatch([say({ event: "lead.created", data: { firstName: "Ann" } })]);
    projector.foldBatch([record("omni.lead", {})]);
    expect(mark()).toBeDefined();
    await scrub();
    await scrub();
    // Somebody reads, so that the log can't be cut: whoever dies now leaves the mark to the next owner.
    expect([asked, mark()]).toEqual([1, "1"]);
    markUnscrubbed(store);
    truncated = true;
    await scrub();
    expect([asked, mark()]).toEqual([2, "2"]);
    await scrub();
    expect(mark()).toBeUndefined();
    // The next erase's mark is the first one's again, and its own rewrite is due.
    markUnscrubbed(store);
    await scrub();
    expect([asked, mark()]).toEqual([3, "1"]);
  } finally {
    projector.close();
  }
});

test("an erase of which only a dead letter was kept marks the file too", () => {
  const projector = openProjector(join(folder, "views.sqlite"));
  const { record } = createSpeaker();
  try {
    projector.foldBatch([record("omni.document", { value: Buffer.from("no JSON") })]);
    projector.foldBatch([record("omni.lead", {})]);
    expect(projector.store.meta.get("unscrubbed")).toBeDefined();
  } finally {
    projector.close();
  }
});

test("an erase of a lead of which only what was discarded spoke marks the file too, until that is rewritten", async () => {
  const projector = openProjector(join(folder, "views.sqlite"));
  const { store } = projector;
  const { record } = createSpeaker();
  const scrub = createScrubber({
    store,
    checkpointer: { truncate: () => undefined, isTruncated: () => true },
    between: async (work) => work(),
  });
  const marks = () => [store.meta.get("unscrubbed"), store.meta.get("traces")];
  try {
    const letter = record("omni.document", { value: Buffer.from("no JSON") });
    projector.foldBatch([letter]);
    store.deadLetters.discard(letter);
    projector.foldBatch([record("omni.lead", {})]);
    expect(marks()).toEqual(["1", "1"]);
    for (let turn = 0; turn < 2; turn++) await scrub();
    expect(marks()).toEqual([undefined, undefined]);
    // Of one that never was nothing is left.
    projector.foldBatch([record("omni.lead", { key: Buffer.from("lead-2") })]);
    expect(marks()).toEqual([undefined, undefined]);
  } finally {
    projector.close();
  }
});

test("a file whose maker died before it made the tables holds nothing yet", () => {
  writeFileSync(generationFile(folder, 1), "");
  expect(() => openStoreToRead({ databaseDir: folder })).toThrow("holds nothing yet");
});
