// Every alert fires on what was recorded from a run that has the trouble, and none on a healthy one. Hours pass by leaps of
// the clock; promtool, where it is installed, has to say the same of the same recordings.
import { execFileSync, spawnSync } from "node:child_process";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createServer as createTlsServer } from "node:tls";
import { Registry } from "prom-client";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { serve } from "../../../api/serve.ts";
import { nextLockOut } from "../../../projector/ops/expiries.ts";
import { createCommitMetrics, registerStateMetrics } from "../../../projector/ops/metrics.ts";
import { createMonitor } from "../../../projector/ops/monitor.ts";
import { startOps } from "../../../projector/ops/start-ops.ts";
import { ask } from "../../../projector/owner/ask.ts";
import { becomeOwner, tryToOwn } from "../../../projector/owner/lock.ts";
import { runOwner } from "../../../projector/owner/run-owner.ts";
import { markFoldRules } from "../../../projector/projection/fold-version.ts";
import { publishViews } from "../../../projector/publish/view-topic.ts";
import { deliverWebhooks } from "../../../projector/publish/webhooks/deliver.ts";
import { openEndpoints, relayOf, webhooksFile } from "../../../projector/publish/webhooks/endpoints.ts";
import { settleHere } from "../../../projector/publish/webhooks/home.ts";
import { passingOn } from "../../../projector/trace/tracing.ts";
import { keysFile, readConfig } from "../../../shared/config.ts";
import { generationFile } from "../../../shared/generation.ts";
import { applyKeyChanges, createKey, listKeys, openKeys, rotation } from "../../../shared/keys.ts";
import { openWriter } from "../../../shared/sqlite.ts";
import { openEventLog } from "../../harness/event-log.ts";
import { createSpeaker } from "../../harness/events.ts";
import { freePort } from "../../harness/free-port.ts";
import { openCluster, silent, testConfig } from "../../harness/kafka.ts";
import { enterLeapingWorld } from "../../harness/leaping-world.ts";
import { openProjector } from "../../harness/projector.ts";
import { type Check, createAlerts, promtoolSays, RULES } from "../../harness/prometheus/rules.ts";
import { createRecorder, parseMetrics, type Target } from "../../harness/prometheus/series.ts";
import { startReceiver } from "../../harness/receiver.ts";
import { until } from "../../harness/wait.ts";

/** Seconds from scrape to scrape. */
const INTERVAL = 60;
const DAY_MS = 86_400_000;
const fired = new Set<string>();

type World = ReturnType<typeof enterLeapingWorld>;

/** Records targets, and checks which alerts fire. */
function openWatch(world: World, targets: readonly Target[]) {
  const recorder = createRecorder(world.now() / 1_000, INTERVAL);
  const alerts = createAlerts(recorder.recording);
  const checks: Check[] = [];
  return {
    /** So many minutes pass in which what is told now is told all the time. */
    async pass(minutes: number): Promise<void> {
      world.leap(minutes);
      await recorder.scrape(targets, minutes);
    },
    /** Exactly these fire, in the order of the rules. */
    fires(...expected: string[]): void {
      const firing = alerts.firing();
      checks.push({ at: recorder.recording().length - 1, firing });
      for (const alert of firing) fired.add(alert);
      expect(firing).toEqual(expected);
    },
    promtoolSays: () => promtoolSays(recorder.recording(), checks),
  };
}

const scraping = (job: string, port: number): Target => ({
  job,
  instance: `localhost:${port}`,
  scrape: () =>
    fetch(`http://127.0.0.1:${port}/metrics`, { headers: { connection: "close" } }).then(
      (answer) => answer.text(),
      () => undefined,
    ),
});

/** An API of which only that it is there is looked at. */
const IDLE_API: Target = {
  job: "lead-view-api",
  instance: "a",
  scrape: async () => "lead_view_subscribers 0\n",
};

/** A projector in this process, whose clock is the test's. */
async function startProjector(env: Readonly<Record<string, string>>, port: number) {
  const config = readConfig({ ...env, OPS_PORT: String(port) });
  mkdirSync(config.databaseDir, { recursive: true });
  const stopping = new AbortController();
  const { monitor, stop } = await startOps(config, silent);
  const run = async () => {
    const owned = await becomeOwner(config.databaseDir, stopping.signal, () =>
      monitor.is("standby", "it stands by"),
    );
    try {
      if (owned) await runOwner({ config, log: silent, monitor, tracing: passingOn }, stopping.signal);
    } finally {
      owned?.release();
    }
  };
  const running = run();
  return {
    monitor,
    isOwner: () => !stopping.signal.aborted && monitor.standing() === "owner",
    async stop(): Promise<void> {
      stopping.abort();
      await running;
      await stop();
    },
  };
}

describe("a projector, its standby and an API", () => {
  let world: World;
  let folder: string;
  let env: Record<string, string>;
  let log: ReturnType<typeof openEventLog>;
  let ports: readonly number[];
  let watch: ReturnType<typeof openWatch>;
  let receiver: Awaited<ReturnType<typeof startReceiver>>;
  let first: Awaited<ReturnType<typeof startProjector>>;
  let second: Awaited<ReturnType<typeof startProjector>>;
  let stopApi: () => Promise<void>;
  let endpoint: string;
  const targets: Target[] = [];
  /** The API runs in the test's own event loop, whose lag says something of it only where the test is idle. */
  let hasOwnLoop = false;
  const api: Target = {
    job: "lead-view-api",
    get instance() {
      return `localhost:${portOf(2)}`;
    },
    async scrape() {
      const text = await scraping("lead-view-api", portOf(2)).scrape();
      return hasOwnLoop ? text : text?.replace(/^nodejs_eventloop_.*$/gm, "");
    },
  };
  const lag = async () =>
    parseMetrics((await api.scrape()) ?? "").find(({ name }) => name === "nodejs_eventloop_lag_p99_seconds")
      ?.value;

  const config = () => readConfig(env);
  const portOf = (at: number) => ports[at] as number;
  const startApi = async () => {
    stopApi = await serve(readConfig({ ...env, PORT: String(portOf(2)), API_WORKERS: "1" }), silent);
  };
  const owner = () => (first.isOwner() ? first : second);
  const folded = () =>
    until("all to be folded", () => owner().monitor.lag() === 0 && owner().monitor.reason() === undefined);
  const say = async (event: string, data: object = {}) => {
    log.say({ event, data });
    await folded();
  };
  const handedOn = () =>
    until("all to be handed on", () =>
      owner()
        .monitor.outboxes()
        .every(({ waiting, setAside, held }) => waiting + setAside + held === 0),
    );
  const letters = (count: number) =>
    until(`${count} dead letters`, () => owner().monitor.deadLetters() === count);
  const discard = (letter: string) => ask(config(), "discard", { letter });
  const broken = () => {
    appendFileSync(
      join(folder, "omni.document", "0.ndjson"),
      `{"key":"lead-1","value":{"event":"no such event"}}\n`,
    );
    return `omni.document/0/${
      readFileSync(join(folder, "omni.document", "0.ndjson"), "utf8")
        .trim()
        .split("\n").length - 1
    }`;
  };

  beforeAll(async () => {
    world = enterLeapingWorld();
    folder = mkdtempSync(join(tmpdir(), "alerts-"));
    env = { EVENT_LOG_DIR: folder, DATABASE_DIR: folder, WEBHOOKS_ALLOW_PRIVATE: "true", KAFKA_BROKERS: "" };
    ports = [await freePort(), await freePort(), await freePort()];
    receiver = await startReceiver();
    log = openEventLog(folder);
    log.say({ event: "lead.created" });
    log.say({
      event: "document.received",
      data: { id: "doc-1", filename: "a.pdf", mimeType: "application/pdf", size: 1 },
    });
    const keys = openKeys(keysFile(config()));
    createKey(keys, "ws-1", "far", world.now() + 400 * DAY_MS);
    createKey(keys, "ws-1", "rotated", world.now() + 400 * DAY_MS);
    applyKeyChanges(
      keys,
      rotation(keys, hashOf(keys, "rotated"), { oldExpiresAt: world.now() + DAY_MS, newExpiresAt: null })
        .changes,
    );
    keys.close();
    first = await startProjector(env, portOf(0));
    await folded();
    second = await startProjector(env, portOf(1));
    await startApi();
    const hook = { workspaceId: "ws-1", url: receiver.url, force: true };
    ({ id: endpoint } = await ask(config(), "webhooks.add", hook));
    const { id: off } = await ask(config(), "webhooks.add", hook);
    await ask(config(), "webhooks.disable", { id: off });
    targets.push(scraping("lead-view-projector", portOf(0)), scraping("lead-view-projector", portOf(1)), api);
    watch = openWatch(world, targets);
  }, 60_000);
  afterAll(async () => {
    world.goOn();
    await Promise.all([first?.stop(), second?.stop(), stopApi?.()]);
    receiver.close();
    world.leave();
    rmSync(folder, { recursive: true, force: true });
  });

  test("while all is well, nothing fires", async () => {
    for (const firstName of ["Ann", "Anna", "Joanna"]) {
      await watch.pass(30);
      await say("lead.updated", { firstName });
      await handedOn();
      expect(receiver.received.at(-1)?.body).toContain(firstName);
    }
    await watch.pass(45);
    watch.fires();
  });

  test("the first dead letter of a life, and one that waits", async () => {
    const letter = broken();
    await letters(1);
    await watch.pass(1);
    watch.fires("LeadViewDeadLetters");
    await watch.pass(70);
    watch.fires("LeadViewDeadLettersWait");
    await discard(letter);
    await watch.pass(20);
    watch.fires();
  });

  test("one of several projectors is down, and a dead letter comes before anybody counts", async () => {
    await first.stop();
    await until("the other one to own the folder", () => second.isOwner());
    await folded();
    await watch.pass(3);
    watch.fires("LeadViewTargetDown");
    await second.stop();
    const letter = broken();
    first = await startProjector(env, portOf(0));
    await letters(1);
    second = await startProjector(env, portOf(1));
    await watch.pass(1);
    watch.fires("LeadViewDeadLetters");
    await discard(letter);
    await watch.pass(20);
    watch.fires();
  });

  test("a projector that stands still", async () => {
    world.standStill();
    log.say({ event: "lead.updated", data: { firstName: "Late" } });
    await until("it to lag", () => first.monitor.lag() > 0);
    await watch.pass(2);
    watch.fires("LeadViewNotReady");
    await watch.pass(8);
    watch.fires("LeadViewNotReady", "LeadViewStale");
    world.goOn();
    await folded();
    await handedOn();
    await watch.pass(12);
    watch.fires();
  });

  test("views of older rules", async () => {
    const db = openWriter(generationFile(folder, 1));
    const mark = (version: string) =>
      db.prepare("UPDATE meta SET value = ? WHERE name = 'fold_version'").run(version);
    const version = db
      .prepare<[], string>("SELECT value FROM meta WHERE name = 'fold_version'")
      .pluck()
      .get() as string;
    mark("0");
    await watch.pass(61);
    watch.fires("LeadViewOtherFoldRules");
    mark(version);
    db.close();
    await watch.pass(1);
    watch.fires();
  });

  test("a receiver that takes nothing", async () => {
    receiver.answer(() => 500);
    await say("lead.updated", { firstName: "Refused" });
    const attempts = () => first.monitor.store()?.setAsides.list(`webhook:${endpoint}`, "", 1)[0]?.attempts;
    await until("the first try", () => attempts() === 1);
    await watch.pass(4);
    watch.fires();
    await watch.pass(70);
    await until("another try", () => attempts() === 2);
    watch.fires("LeadViewOutboxStuck", "LeadViewWebhooks");
    receiver.answer(() => 200);
    await watch.pass(10);
    await handedOn();
    expect(receiver.received.at(-1)?.body).toContain("Refused");
    await watch.pass(2);
    watch.fires();
  });

  test("a receiver that is gone", async () => {
    receiver.answer(() => 410);
    await say("lead.updated", { firstName: "Gone" });
    await until("it to be disabled", () => first.monitor.endpoints()[0]?.disabledReason?.includes("410"));
    await watch.pass(61);
    watch.fires("LeadViewWebhooks");
    receiver.answer(() => 200);
    await ask(config(), "webhooks.enable", { id: endpoint });
    await handedOn();
    await watch.pass(2);
    watch.fires();
  });

  test("a key that expires, until it has a successor", async () => {
    const keys = openKeys(keysFile(config()));
    createKey(keys, "ws-2", "near", world.now() + 3 * DAY_MS);
    await watch.pass(1);
    watch.fires("LeadViewKeyExpires");
    const { changes } = rotation(keys, hashOf(keys, "near"), {
      oldExpiresAt: world.now() + DAY_MS,
      newExpiresAt: world.now() + 90 * DAY_MS,
    });
    applyKeyChanges(keys, changes);
    keys.close();
    await watch.pass(1);
    watch.fires();
  });

  test("a write-ahead log that only grows", async () => {
    const file = `${generationFile(folder, 1)}-wal`;
    const { size } = statSync(file);
    truncateSync(file, 5e9);
    await watch.pass(11);
    watch.fires("LeadViewWalGrows");
    truncateSync(file, size);
    await watch.pass(1);
    watch.fires();
  });

  test("an API that answers with errors", async () => {
    const empty = mkdtempSync(join(tmpdir(), "alerts-empty-"));
    const port = await freePort();
    const without = { ...env, DATABASE_DIR: empty };
    const keys = openKeys(keysFile(readConfig(without)));
    const key = createKey(keys, "ws-1", "test");
    keys.close();
    const stop = await serve(readConfig({ ...without, PORT: String(port), API_WORKERS: "1" }), silent);
    const itself = scraping("lead-view-api", port);
    targets.push({
      ...itself,
      scrape: async () => (await itself.scrape())?.replace(/^nodejs_eventloop_.*$/gm, ""),
    });
    await watch.pass(1);
    const headers = { "x-api-key": key, connection: "close" };
    const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`, { headers });
    for (let minute = 0; minute < 3; minute++) {
      for (let ready = 0; ready < 20; ready++) expect((await get("/health/ready")).status).toBe(503);
      await watch.pass(1);
    }
    watch.fires();
    for (let minute = 0; minute < 11; minute++) {
      for (let read = 0; read < 10; read++) expect((await get("/api/v1/leads/lead-1")).status).toBe(503);
      await watch.pass(1);
    }
    watch.fires("LeadViewErrors");
    targets.pop();
    await stop(0);
    rmSync(empty, { recursive: true, force: true });
    await watch.pass(6);
    watch.fires();
  });

  test("an API that has too much to do", async () => {
    hasOwnLoop = true;
    const isCalm = async () => {
      await sleep(50);
      return ((await lag()) ?? 1) < 0.1;
    };
    await until("it to be calm", isCalm);
    for (let turn = 0; turn < 3; turn++) {
      const end = performance.now() + 250;
      while (performance.now() < end);
      await sleep(1);
    }
    await watch.pass(6);
    watch.fires("LeadViewSlow");
    await until("it to be calm", isCalm);
    await watch.pass(6);
    watch.fires();
    hasOwnLoop = false;
  });

  test("a dead API", async () => {
    await stopApi();
    await watch.pass(3);
    watch.fires("LeadViewApiGone", "LeadViewTargetDown");
    await startApi();
    await watch.pass(1);
    watch.fires();
  });

  test("a lock that nobody alive uses, and no projector at all", async () => {
    await first.stop();
    await second.stop();
    const owned = tryToOwn(folder);
    first = await startProjector(env, portOf(0));
    second = await startProjector(env, portOf(1));
    await until("both to stand by", () =>
      [first, second].every(({ monitor }) => monitor.standing() === "standby"),
    );
    await watch.pass(2);
    watch.fires("LeadViewNoOwner");
    owned?.release();
    await until("an owner", () => [first, second].some(({ isOwner }) => isOwner()));
    await folded();
    await watch.pass(1);
    watch.fires();
    await first.stop();
    await second.stop();
    await watch.pass(3);
    watch.fires("LeadViewProjectorGone", "LeadViewTargetDown");
  });

  test("promtool, where it is installed, says the same", { timeout: 120_000 }, () => {
    expect(watch.promtoolSays() ?? "").toBe("");
  });
});

describe("a projector whose first scrape is too late", () => {
  test("the first dead letter of a life comes before it", async () => {
    const world = enterLeapingWorld();
    const folder = mkdtempSync(join(tmpdir(), "alerts-first-"));
    try {
      openEventLog(folder).say({ event: "document.shredded", topic: "omni.document" });
      const port = await freePort();
      const projector = await startProjector(
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

/** A store that is written to by the test, with what tells of its relays. */
function openRelays(names: { readonly group: string; readonly publishes: boolean }) {
  const world = enterLeapingWorld();
  const folder = mkdtempSync(join(tmpdir(), "alerts-relays-"));
  const projector = openProjector(join(folder, "views.sqlite"));
  const endpoints = openEndpoints(webhooksFile(folder));
  const registry = new Registry();
  const called = { group: names.group, shard: "0/1", topicName: (topic: string) => topic };
  const { publishes } = names;
  const options = { role: "projector", databaseDir: folder, publishes, mostLagSeconds: 60 } as const;
  const monitor = createMonitor(options, createCommitMetrics(registry, called));
  registerStateMetrics(registry, monitor, called);
  monitor.is("owner", "");
  markFoldRules(projector.store);
  const source = { ends: () => [], trouble: () => undefined, owns: () => true };
  monitor.observe({ store: projector.store, source: source as never, endpoints, generation: 1 });
  const relay: Target = { job: "lead-view-projector", instance: "p", scrape: () => registry.metrics() };
  return {
    folder,
    projector,
    endpoints,
    watch: openWatch(world, [relay, IDLE_API]),
    outbox: () => monitor.outboxes()[0],
    close(): void {
      monitor.stop();
      endpoints.close();
      projector.close();
      world.leave();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Runs until it is stopped. */
function running(run: (signal: AbortSignal) => Promise<void>): () => Promise<void> {
  const stopping = new AbortController();
  const done = run(stopping.signal);
  return async () => {
    stopping.abort();
    await done;
  };
}

test("a webhook that nobody tries any more, until it is sent again", async () => {
  const { folder, projector, endpoints, watch, outbox, close } = openRelays({ group: "g", publishes: false });
  const receiver = await startReceiver(() => 500);
  const { id } = endpoints.add("ws-1", receiver.url, 0, Date.now());
  settleHere(folder, endpoints);
  const { store } = projector;
  const stop = running((signal) =>
    // Given up at once, not after three days.
    deliverWebhooks({
      store,
      endpoints,
      databaseDir: folder,
      log: silent,
      signal,
      allowPrivate: true,
      schedule: [],
    }),
  );
  try {
    projector.foldBatch([createSpeaker().say({ event: "lead.created" })]);
    await until("it to be undelivered", () => outbox()?.held === 1);
    await watch.pass(6);
    watch.fires("LeadViewUndelivered");
    await watch.pass(61);
    watch.fires("LeadViewUndelivered", "LeadViewWebhooks");
    receiver.answer(() => 200);
    store.setAsides.retryHeld(relayOf({ id }));
    await until("it to be delivered", () => outbox()?.held === 0 && outbox()?.setAside === 0);
    await watch.pass(2);
    watch.fires();
    expect(watch.promtoolSays() ?? "").toBe("");
  } finally {
    await stop();
    receiver.close();
    close();
  }
});

describe.skipIf(inject("brokers") === "")("a relay to a topic", () => {
  test("a view that the topic does not take, and a broker that is away", async () => {
    const kafka = testConfig();
    const relays = openRelays({ group: kafka.groupId, publishes: true });
    const { projector, watch, outbox } = relays;
    const cluster = await openCluster(kafka, 1);
    const publish = (brokers: readonly string[]) =>
      running((signal) =>
        publishViews({ ...kafka, brokers }, projector.store, { log: silent, signal, tracing: passingOn }),
      );
    const { say } = createSpeaker();
    try {
      projector.foldBatch([say({ event: "lead.created" })]);
      const stop = publish(kafka.brokers);
      await until("it to be published", () => outbox()?.waiting === 0);
      await watch.pass(30);
      watch.fires();
      const configEntries = [{ name: "max.message.bytes", value: "20000" }];
      await cluster.admin.alterConfigs({
        validateOnly: false,
        resources: [{ type: 2, name: kafka.leadViewTopic, configEntries }],
      });
      projector.foldBatch([say({ event: "lead.updated", data: { activitySummary: randomText(100_000) } })]);
      await until("it to be set aside", () => outbox()?.held === 1);
      await stop();
      await watch.pass(6);
      watch.fires("LeadViewSetAside");
      projector.store.setAsides.removeAll("topic:views");
      const stopStuck = publish([`127.0.0.1:${await freePort()}`]);
      projector.foldBatch([say({ event: "lead.updated", data: { activitySummary: "short" } })]);
      await watch.pass(25);
      watch.fires("LeadViewOutboxStuck");
      await stopStuck();
      expect(watch.promtoolSays() ?? "").toBe("");
    } finally {
      await cluster.close();
      relays.close();
    }
  });
});

const KEYTOOL = spawnSync("keytool", ["-help"]).error === undefined;

describe.skipIf(!KEYTOOL)("a broker's certificate", () => {
  test("is told of before it expires", async () => {
    const world = enterLeapingWorld();
    const folder = mkdtempSync(join(tmpdir(), "alerts-tls-"));
    const store = join(folder, "broker.p12");
    const made =
      "-genkeypair -alias broker -keyalg EC -storetype PKCS12 -storepass secret -dname CN=localhost -validity 30";
    execFileSync("keytool", [...made.split(" "), "-keystore", store], { stdio: "ignore" });
    const broker = createTlsServer({ pfx: readFileSync(store), passphrase: "secret" }).listen(0, "127.0.0.1");
    await until("the broker", () => broker.address() !== null);
    const brokers = `127.0.0.1:${(broker.address() as { port: number }).port}`;
    const port = await freePort();
    const config = readConfig({
      DATABASE_DIR: folder,
      KAFKA_BROKERS: brokers,
      KAFKA_TLS: "true",
      OPS_PORT: String(port),
    });
    const ops = await startOps(config, silent);
    try {
      await until("its certificate", () => ops.monitor.brokerCertificates().length === 1);
      const projector = scraping("lead-view-projector", port);
      const text = (await projector.scrape()) ?? "";
      const told = parseMetrics(text).find(
        ({ name }) => name === "lead_view_kafka_certificate_expiry_timestamp_seconds",
      );
      expect(told?.labels).toEqual({ broker: brokers });
      expect((told?.value ?? 0) - Date.now() / 1_000).toBeCloseTo(30 * 86_400, -3);
      // Nothing but what the certificate tells of: this one owns no folder.
      const itself = {
        ...projector,
        scrape: async () =>
          `${text
            .split("\n")
            .filter((line) => line.includes("certificate"))
            .join("\n")}\nlead_view_ready 1\n`,
      };
      const watch = openWatch(world, [itself, IDLE_API]);
      await watch.pass(60);
      watch.fires();
      await watch.pass(17 * 24 * 60);
      watch.fires("LeadViewCertificateExpires");
    } finally {
      await ops.stop();
      broker.close();
      world.leave();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

test("whoever has a key that does not expire, or a later one, is not locked out", () => {
  const key = (name: string, expiresAt: number | null) => ({ workspaceId: "ws-1", name, expiresAt });
  expect(nextLockOut([], 0)).toBeUndefined();
  expect(nextLockOut([key("a", 5), key("a", null)], 0)).toBeUndefined();
  expect(nextLockOut([key("a", 5), key("a", 9), key("b", 7)], 0)).toBe(7);
  expect(nextLockOut([key("a", 5), key("b", 7)], 6)).toBe(7);
  expect(nextLockOut([key("a", 5)], 6)).toBeUndefined();
});

test("every rule was seen to fire", () => {
  const kafka = inject("brokers") === "" ? ["LeadViewSetAside"] : [];
  const certificate = KEYTOOL ? [] : ["LeadViewCertificateExpires"];
  const unseen = RULES.map(({ alert }) => alert).filter((alert) => !fired.has(alert));
  expect(unseen).toEqual([...kafka, ...certificate]);
});

const hashOf = (keys: ReturnType<typeof openKeys>, key: string): string =>
  listKeys(keys)
    .find(({ name }) => name === key)
    ?.hash.toString("hex") ?? "";

/** A text that gzip does not make much smaller. */
const randomText = (length: number): string =>
  Array.from({ length: Math.ceil(length / 10) }, () => Math.random().toString(36).slice(2, 12)).join("");
