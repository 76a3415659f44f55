// Numbers are never given twice, and every reader of changes ends with every lead's latest view (rule: one number).
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { HANDLERS } from "../../../../projector/owner/handlers.ts";
import { createOwner, type Owner } from "../../../../projector/owner/owner.ts";
import { createFileLog } from "../../../../projector/source/file-log/file-log.ts";
import { openStore } from "../../../../projector/store/store.ts";
import { createLog } from "../../../../shared/log.ts";
import { type OwnerFolder, openOwnerFolder } from "../../../harness/owner-folder.ts";
import { decode, foldLog } from "../../../harness/projector.ts";

const silent = createLog("projector", "silent");
const REBUILD = { switch: true, acceptLoss: false, acceptDeadLetters: false };

let at: OwnerFolder;
let owner: Owner;
const environment = { ...process.env };
beforeEach(() => {
  at = openOwnerFolder();
  // A build is a thread of its own, which reads the settings of the process.
  Object.assign(process.env, at.env);
  cpSync(at.log, at.databaseDir, { recursive: true });
  owner = createOwner({ config: at.config(), log: silent, decode }, undefined);
});
afterEach(async () => {
  await owner.close();
  Object.assign(process.env, environment);
  await at.close();
});

/** Folds all that the log holds into the serving generation, as the owner does. */
async function fold(): Promise<void> {
  const store = openStore(at.file(at.serving()));
  await foldLog(store, createFileLog(at.log));
  store.close();
}

const carrying = () => ({ owner, signal: new AbortController().signal, onProgress: () => undefined });

/** A reader of changes, like a relay, an endpoint or a subscriber, which outlives the databases that it reads from. */
function createReader() {
  const views = new Map<string, string | null>();
  const contents = new Map<number, string>();
  let cursor = 0;
  return {
    cursor: () => cursor,
    /** Takes what stands behind its cursor. */
    read(): void {
      at.read((store) => {
        for (let page = store.views.after(cursor, 2); page.length > 0; page = store.views.after(cursor, 2)) {
          for (const { number, leadId, body } of page) {
            const text = body?.toString("utf8") ?? null;
            expect(number).toBeGreaterThan(cursor);
            const content = `${leadId} ${text}`;
            expect(contents.get(number) ?? content).toBe(content);
            contents.set(number, content);
            views.set(leadId, text);
            cursor = number;
          }
        }
      });
    },
    /** The names of what it holds now. */
    names: () =>
      Object.fromEntries(
        [...views].flatMap(([id, text]) =>
          text === null ? [] : [[id, JSON.parse(text).lead.firstName as string]],
        ),
      ),
  };
}

const served = () =>
  Object.fromEntries(
    Object.entries(at.views()).map(([id, { body }]) => [id, JSON.parse(body).lead.firstName]),
  );

/** Removes the views, as the loss of a disk would. */
function loseDatabase(): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(at.file(at.serving()) + suffix, { force: true });
  rmSync(join(at.databaseDir, "lead_view.serving"), { force: true });
}

const say = (leadId: string, firstName: string) => at.say(leadId, "lead.created", { firstName });

test("a view that a refold took away and that comes again has a tombstone between, under rising numbers", async () => {
  say("a", "Ann");
  say("b", "Bob");
  await fold();
  const reader = createReader();
  reader.read();
  const first = at.views().a?.number as number;
  // The log makes the lead no more, as after an upgrade whose rules refuse its event.
  const path = join(at.log, "omni.lead", "0.ndjson");
  const sound = readFileSync(path, "utf8");
  writeFileSync(path, sound.replace('"event":"lead.created"', '"event":"lead.xxxxxxx"'));
  await expect(HANDLERS.refold({ lead: "a" }, carrying())).rejects.toThrow(/no event of lead a/);
  await HANDLERS.rebuild({ ...REBUILD, acceptLoss: true, acceptDeadLetters: true }, carrying());
  expect(Object.keys(at.views())).toEqual(["b"]);
  const buried = at.read((store) => store.views.get("a"));
  expect(buried).toMatchObject({ body: null, status: null });
  expect(buried?.number).toBeGreaterThan(first);
  reader.read();
  expect(reader.names()).toEqual({ b: "Bob" });
  say("a", "Again");
  await fold();
  reader.read();
  expect(reader.names()).toEqual({ a: "Again", b: "Bob" });
  expect(at.views().a?.number).toBeGreaterThan(buried?.number as number);
  const rows = at.read((store) =>
    store.db.prepare("SELECT count(*) FROM lead_view WHERE lead_id = 'a'").pluck().get(),
  );
  expect(rows).toBe(1);
});

test("a database that is lost and folded anew gives numbers above all that were seen", async () => {
  for (let round = 0; round < 20; round++) say("a", `Name ${round}`);
  say("b", "Bob");
  await fold();
  const reader = createReader();
  reader.read();
  const seen = reader.cursor();
  loseDatabase();
  say("a", "Later");
  await fold();
  for (const { number } of Object.values(at.views())) expect(number).toBeGreaterThan(seen);
  reader.read();
  expect(reader.names()).toEqual(served());
  expect(reader.names().a).toBe("Later");
});

test.each(["in place", "by a rebuild"])("folded anew elsewhere, then %s: the same", async (how) => {
  say("a", "Ann");
  await fold();
  const reader = createReader();
  reader.read();
  loseDatabase();
  if (how === "in place") await fold();
  else await HANDLERS.rebuild(REBUILD, carrying());
  say("b", "Bob");
  await fold();
  reader.read();
  expect(reader.names()).toEqual({ a: "Ann", b: "Bob" });
});

test("restored from a copy that is a moment older, or without its newest commits: no number has two contents", async () => {
  say("a", "Ann");
  await fold();
  const reader = createReader();
  reader.read();
  const copy = join(at.folder, "copy");
  cpSync(at.databaseDir, copy, { recursive: true });
  say("b", "Bob");
  await fold();
  say("a", "Anna");
  await fold();
  reader.read();
  const seen = reader.cursor();
  rmSync(at.databaseDir, { recursive: true });
  cpSync(copy, at.databaseDir, { recursive: true });
  // What comes next is another lead's, so that a number that was counted on would be that one's.
  say("c", "Carl");
  await fold();
  const numbers = Object.entries(at.views()).map(([id, { number }]) => [id, number] as const);
  for (const [id, number] of numbers) if (id !== "a") expect(number).toBeGreaterThan(seen);
  reader.read();
  expect(reader.names()).toEqual({ a: "Anna", b: "Bob", c: "Carl" });
  expect(reader.names()).toEqual(served());
});

test("a reader whose cursor came from a generation before a switch misses nothing, whichever way it goes", async () => {
  say("a", "Ann");
  say("b", "Bob");
  await fold();
  const reader = createReader();
  reader.read();
  await HANDLERS.rebuild({ ...REBUILD, switch: false }, carrying());
  say("a", "Anna");
  await fold();
  reader.read();
  await HANDLERS.switch({ generation: 2 }, carrying());
  reader.read();
  expect(reader.names()).toEqual({ a: "Anna", b: "Bob" });
  say("b", "Bobby");
  at.erase("a");
  await fold();
  await HANDLERS.switch({ generation: 1 }, carrying());
  reader.read();
  expect(reader.names()).toEqual({ b: "Bobby" });
  expect(reader.names()).toEqual(served());
});

test("views whose bytes are the same keep their numbers through a rebuild, and what stands beside them is carried over", async () => {
  say("a", "Ann");
  at.append("omni.lead", 0, '{"key":"a","value":{"not":"an event"}}\n');
  await fold();
  const before = at.views();
  const store = openStore(at.file(1));
  store.relays.advance("topic:views", 17);
  store.close();
  await HANDLERS.discard({ letter: "omni.lead/0/1" }, carrying());
  await HANDLERS.rebuild(REBUILD, carrying());
  expect(at.views()).toEqual(before);
  at.read((next) => {
    expect(next.relays.position("topic:views")).toBe(17);
    expect(next.deadLetters.count()).toBe(0);
  });
});

test("accepting a loss does not bring back what was erased", async () => {
  say("gdpr", "Canary");
  say("b", "Bob");
  await fold();
  const path = join(at.log, "omni.lead", "0.ndjson");
  const backup = readFileSync(path, "utf8");
  at.erase("gdpr");
  await fold();
  // The log is restored from a backup that is older than the erase.
  writeFileSync(path, backup);
  await expect(HANDLERS.rebuild(REBUILD, carrying())).rejects.toThrow(/--accept-loss.*Nothing was switched/);
  await HANDLERS.rebuild({ ...REBUILD, acceptLoss: true }, carrying());
  expect(served()).toEqual({ b: "Bob" });
});

test("a rebuild from another log is refused unless the loss is accepted, however long that log is", async () => {
  say("a", "Ann");
  await fold();
  const path = join(at.log, "omni.lead", "0.ndjson");
  writeFileSync(path, "");
  for (const leadId of ["x", "y", "z"]) say(leadId, "Other");
  await expect(fold()).rejects.toThrow(/another log.*--accept-loss/);
  await expect(HANDLERS.rebuild(REBUILD, carrying())).rejects.toThrow(/another log.*--accept-loss/);
  expect(served()).toEqual({ a: "Ann" });
  await HANDLERS.rebuild({ ...REBUILD, acceptLoss: true }, carrying());
  expect(Object.keys(served())).toEqual(["x", "y", "z"]);
  await fold();
});

test("a switch that is to fold a backlog first can be stopped, and nothing is switched then", async () => {
  at.say("a", "lead.created", { firstName: "Ann" });
  await fold();
  at.say("a", "lead.updated", { firstName: "Bob" });
  const from = at.serving();
  const folded = at.folded();
  const stopping = new AbortController();
  const onProgress = ({ phase }: { readonly phase: string }) => {
    if (phase === "switch") stopping.abort();
  };
  await expect(
    HANDLERS.rebuild(REBUILD, { owner, signal: stopping.signal, onProgress }),
  ).rejects.toMatchObject({ name: "AbortError" });
  expect(at.serving()).toBe(from);
  expect(at.folded()).toBe(folded);
  expect(at.nameOf("a")).toBe("Ann");
});
