// The alerts of projectors and APIs fire on what was recorded from a run that has the trouble, and none on a healthy one. Hours
// pass by leaps of the clock; promtool, where it is installed, has to say the same of the same recordings.
import { mkdtempSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serve } from "../../../../api/serve.ts";
import { ask } from "../../../../projector/owner/ask.ts";
import { tryToOwn } from "../../../../projector/owner/lock.ts";
import { keysFile, readConfig } from "../../../../shared/config.ts";
import { generationFile } from "../../../../shared/generation.ts";
import { applyKeyChanges, createKey, openKeys, rotation } from "../../../../shared/keys.ts";
import { openWriter } from "../../../../shared/sqlite.ts";
import { openEventLog } from "../../../harness/event-log.ts";
import { freePort } from "../../../harness/free-port.ts";
import { silent } from "../../../harness/kafka.ts";
import { enterLeapingWorld } from "../../../harness/leaping-world.ts";
import { startProjectorHere } from "../../../harness/projector-here.ts";
import { ALERTS } from "../../../harness/prometheus/alert-kinds.ts";
import { DAY_MS, hashOf, openServiceWorld, withoutLoop } from "../../../harness/prometheus/service-world.ts";
import { openWatch, scraping, seenToFire } from "../../../harness/prometheus/watch.ts";
import { until } from "../../../harness/wait.ts";

describe("a projector, its standby and an API", () => {
  let at: Awaited<ReturnType<typeof openServiceWorld>>;
  beforeAll(async () => {
    at = await openServiceWorld();
  }, 60_000);
  afterAll(() => at?.close());

  test("while all is well, nothing fires", async () => {
    for (const firstName of ["Ann", "Anna", "Joanna"]) {
      await at.watch.pass(30);
      await at.say("lead.updated", { firstName });
      await at.handedOn();
      expect(at.receiver.received.at(-1)?.body).toContain(firstName);
    }
    await at.watch.pass(45);
    at.watch.fires();
  });

  test("the first dead letter of a life, and one that waits", async () => {
    const letter = at.breakLog();
    await at.letters(1);
    await at.watch.pass(1);
    at.watch.fires("LeadViewDeadLetters");
    await at.watch.pass(70);
    at.watch.fires("LeadViewDeadLettersWait");
    await at.discard(letter);
    await at.watch.pass(20);
    at.watch.fires();
  });

  test("one of several projectors is down, and a dead letter comes before anybody counts", async () => {
    await at.first().stop();
    await until("the other one to own the folder", () => at.second().isOwner());
    await at.folded();
    await at.watch.pass(3);
    at.watch.fires("LeadViewTargetDown");
    await at.second().stop();
    const letter = at.breakLog();
    await at.startBoth(() => at.letters(1));
    await at.watch.pass(1);
    at.watch.fires("LeadViewDeadLetters");
    await at.discard(letter);
    await at.watch.pass(20);
    at.watch.fires();
  });

  test("a projector that stands still", async () => {
    at.world.standStill();
    at.log.say({ event: "lead.updated", data: { firstName: "Late" } });
    await until("it to lag", () => at.first().monitor.lag() > 0);
    await at.watch.pass(2);
    at.watch.fires("LeadViewNotReady");
    await at.watch.pass(8);
    at.watch.fires("LeadViewNotReady", "LeadViewStale");
    at.world.goOn();
    await at.folded();
    await at.handedOn();
    await at.watch.pass(12);
    at.watch.fires();
  });

  test("views of older rules", async () => {
    const db = openWriter(generationFile(at.folder, 1));
    const mark = (version: string) =>
      db.prepare("UPDATE meta SET value = ? WHERE name = 'fold_version'").run(version);
    const version = db
      .prepare<[], string>("SELECT value FROM meta WHERE name = 'fold_version'")
      .pluck()
      .get() as string;
    mark("0");
    await at.watch.pass(61);
    at.watch.fires("LeadViewOtherFoldRules");
    mark(version);
    db.close();
    await at.watch.pass(1);
    at.watch.fires();
  });

  test("a receiver that takes nothing", async () => {
    at.receiver.answer(() => 500);
    await at.say("lead.updated", { firstName: "Refused" });
    const attempts = () =>
      at.first().monitor.store()?.setAsides.list(`webhook:${at.endpoint}`, "", 1)[0]?.attempts;
    await until("the first try", () => attempts() === 1);
    await at.watch.pass(4);
    at.watch.fires();
    await at.watch.pass(70);
    await until("another try", () => attempts() === 2);
    at.watch.fires("LeadViewOutboxStuck", "LeadViewWebhooks");
    at.receiver.answer(() => 200);
    await at.watch.pass(10);
    await at.handedOn();
    expect(at.receiver.received.at(-1)?.body).toContain("Refused");
    await at.watch.pass(2);
    at.watch.fires();
  });

  test("a receiver that is gone", async () => {
    at.receiver.answer(() => 410);
    await at.say("lead.updated", { firstName: "Gone" });
    await until("it to be disabled", () =>
      at.first().monitor.endpoints()[0]?.disabledReason?.includes("410"),
    );
    await at.watch.pass(61);
    at.watch.fires("LeadViewWebhooks");
    at.receiver.answer(() => 200);
    await ask(at.config(), "webhooks.enable", { id: at.endpoint });
    await at.handedOn();
    await at.watch.pass(2);
    at.watch.fires();
  });

  test("a key that expires, until it has a successor", async () => {
    const keys = openKeys(keysFile(at.config()));
    createKey(keys, "ws-2", "near", at.world.now() + 3 * DAY_MS);
    await at.watch.pass(1);
    at.watch.fires("LeadViewKeyExpires");
    const { changes } = rotation(keys, hashOf(keys, "near"), {
      oldExpiresAt: at.world.now() + DAY_MS,
      newExpiresAt: at.world.now() + 90 * DAY_MS,
    });
    applyKeyChanges(keys, changes);
    keys.close();
    await at.watch.pass(1);
    at.watch.fires();
  });

  test("a write-ahead log that only grows", async () => {
    const file = `${generationFile(at.folder, 1)}-wal`;
    const { size } = statSync(file);
    truncateSync(file, 5e9);
    await at.watch.pass(11);
    at.watch.fires("LeadViewWalGrows");
    truncateSync(file, size);
    await at.watch.pass(1);
    at.watch.fires();
  });

  test("an API that answers with errors", async () => {
    const empty = mkdtempSync(join(tmpdir(), "alerts-empty-"));
    const port = await freePort();
    const without = { ...at.env, DATABASE_DIR: empty };
    const keys = openKeys(keysFile(readConfig(without)));
    const key = createKey(keys, "ws-1", "test");
    keys.close();
    const stop = await serve(readConfig({ ...without, PORT: String(port), API_WORKERS: "1" }), silent);
    const itself = scraping("lead-view-api", port);
    at.targets.push({
      ...itself,
      scrape: async () => withoutLoop(await itself.scrape()),
    });
    await at.watch.pass(1);
    const headers = { "x-api-key": key, connection: "close" };
    const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`, { headers });
    for (let minute = 0; minute < 3; minute++) {
      for (let ready = 0; ready < 20; ready++) expect((await get("/health/ready")).status).toBe(503);
      await at.watch.pass(1);
    }
    at.watch.fires();
    for (let minute = 0; minute < 11; minute++) {
      for (let read = 0; read < 10; read++) expect((await get("/api/v1/leads/lead-1")).status).toBe(503);
      await at.watch.pass(1);
    }
    at.watch.fires("LeadViewErrors");
    at.targets.pop();
    await stop(0);
    rmSync(empty, { recursive: true, force: true });
    await at.watch.pass(6);
    at.watch.fires();
  });

  test("an API that has too much to do", async () => {
    await at.whileLoopIsItsOwn(async () => {
      const isCalm = async () => {
        await sleep(50);
        return ((await at.lag()) ?? 1) < 0.1;
      };
      await until("it to be calm", isCalm);
      for (let turn = 0; turn < 3; turn++) {
        const end = performance.now() + 250;
        while (performance.now() < end);
        await sleep(1);
      }
      await at.watch.pass(6);
      at.watch.fires("LeadViewSlow");
      await until("it to be calm", isCalm);
      await at.watch.pass(6);
      at.watch.fires();
    });
  });

  test("a dead API", async () => {
    await at.stopApi();
    await at.watch.pass(3);
    at.watch.fires("LeadViewApiGone", "LeadViewTargetDown");
    await at.startApi();
    await at.watch.pass(1);
    at.watch.fires();
  });

  test("a lock that nobody alive uses, and no projector at all", async () => {
    await at.stopBoth();
    const owned = tryToOwn(at.folder);
    await at.startBoth();
    await until("both to stand by", () => at.both().every(({ monitor }) => monitor.standing() === "standby"));
    await at.watch.pass(2);
    at.watch.fires("LeadViewNoOwner");
    owned?.release();
    await until("an owner", () => at.both().some(({ isOwner }) => isOwner()));
    await at.folded();
    await at.watch.pass(1);
    at.watch.fires();
    await at.stopBoth();
    await at.watch.pass(3);
    at.watch.fires("LeadViewProjectorGone", "LeadViewTargetDown");
  });

  test("promtool, where it is installed, says the same", { timeout: 120_000 }, () => {
    expect(at.watch.promtoolSays() ?? "").toBe("");
  });
});

describe("a projector whose first scrape is too late", () => {
  test("the first dead letter of a life comes before it", async () => {
    const world = enterLeapingWorld();
    const folder = mkdtempSync(join(tmpdir(), "alerts-first-"));
    try {
      openEventLog(folder).say({ event: "document.shredded", topic: "omni.document" });
      const port = await freePort();
      const projector = await startProjectorHere(
        { EVENT_LOG_DIR: folder, DATABASE_DIR: folder, KAFKA_BROKERS: "" },
        port,
      );
      await until("it to be a dead letter", () => projector.monitor.deadLetters() === 1);
      const watch = openWatch(world, [scraping("lead-view-projector", port)]);
      await watch.pass(1);
      watch.fires("LeadViewDeadLetters");
      expect(watch.promtoolSays() ?? "").toBe("");
      await projector.stop();
    } finally {
      world.leave();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

test("every alert of a projector and an API was seen to fire", () => {
  expect(ALERTS.service.filter((alert) => !seenToFire().has(alert))).toEqual([]);
});
