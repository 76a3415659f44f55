import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serve } from "../../../api/serve.ts";
import { ask } from "../../../projector/owner/ask.ts";
import { keysFile, readConfig } from "../../../shared/config.ts";
import { applyKeyChanges, createKey, listKeys, openKeys, rotation } from "../../../shared/keys.ts";
import { openEventLog } from "../event-log.ts";
import { freePort } from "../free-port.ts";
import { silent } from "../kafka.ts";
import { enterLeapingWorld } from "../leaping-world.ts";
import { startProjectorHere } from "../projector-here.ts";
import { startReceiver } from "../receiver.ts";
import { until } from "../wait.ts";
import { parseMetrics, type Target } from "./series.ts";
import { openWatch, scraping } from "./watch.ts";

export const DAY_MS = 86_400_000;

/** A projector, its standby, an API and a receiver of webhooks in this process, over one folder, and all of them watched. */
export async function openServiceWorld() {
  const world = enterLeapingWorld();
  const folder = mkdtempSync(join(tmpdir(), "alerts-"));
  const env = {
    EVENT_LOG_DIR: folder,
    DATABASE_DIR: folder,
    WEBHOOKS_ALLOW_PRIVATE: "true",
    KAFKA_BROKERS: "",
  };
  const config = () => readConfig(env);
  const ports = [await freePort(), await freePort(), await freePort()] as const;
  const receiver = await startReceiver();
  const log = openEventLog(folder);
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

  const startFirst = () => startProjectorHere(env, ports[0]);
  const startSecond = () => startProjectorHere(env, ports[1]);
  let first = await startFirst();
  let second: typeof first | undefined;
  let stopApi: (() => Promise<void>) | undefined;
  /** The API runs in the test's own event loop, whose lag says something of it only where the test is idle. */
  let hasOwnLoop = false;

  const both = () => [first, ...(second ? [second] : [])];
  const owner = () => both().find((one) => one.isOwner()) ?? first;
  const folded = () =>
    until("all to be folded", () => owner().monitor.lag() === 0 && owner().monitor.reason() === undefined);
  await folded();
  second = await startSecond();
  const startApi = async () => {
    stopApi = await serve(readConfig({ ...env, PORT: String(ports[2]), API_WORKERS: "1" }), silent);
  };
  await startApi();
  const hook = { workspaceId: "ws-1", url: receiver.url, force: true };
  const { id: endpoint } = await ask(config(), "webhooks.add", hook);
  const { id: off } = await ask(config(), "webhooks.add", hook);
  await ask(config(), "webhooks.disable", { id: off });

  const itself = scraping("lead-view-api", ports[2]);
  const api: Target = {
    ...itself,
    async scrape() {
      const text = await itself.scrape();
      return hasOwnLoop ? text : withoutLoop(text);
    },
  };
  const targets = [scraping("lead-view-projector", ports[0]), scraping("lead-view-projector", ports[1]), api];
  return {
    world,
    folder,
    env,
    config,
    log,
    receiver,
    /** The id of the endpoint that the receiver is. */
    endpoint,
    targets,
    watch: openWatch(world, targets),
    both,
    first: () => first,
    second: () => second as typeof first,
    /** @param between done once the first one is started and before the second one is */
    async startBoth(between: () => Promise<unknown> = async () => undefined): Promise<void> {
      first = await startFirst();
      await between();
      second = await startSecond();
    },
    async stopBoth(): Promise<void> {
      await first.stop();
      await second?.stop();
    },
    startApi,
    stopApi: async () => stopApi?.(),
    async whileLoopIsItsOwn(work: () => Promise<void>): Promise<void> {
      hasOwnLoop = true;
      await work();
      hasOwnLoop = false;
    },
    /** Seconds that the API's event loop lags, as it tells. */
    lag: async () =>
      parseMetrics((await api.scrape()) ?? "").find(({ name }) => name === "nodejs_eventloop_lag_p99_seconds")
        ?.value,
    folded,
    async say(event: string, data: object = {}): Promise<void> {
      log.say({ event, data });
      await folded();
    },
    handedOn: () =>
      until("all to be handed on", () =>
        owner()
          .monitor.outboxes()
          .every(({ waiting, setAside, held }) => waiting + setAside + held === 0),
      ),
    letters: (count: number) => until(`${count} dead letters`, () => owner().monitor.deadLetters() === count),
    discard: (letter: string) => ask(config(), "discard", { letter }),
    /** Adds a record that is no event. @returns its position */
    breakLog(): string {
      const file = join(folder, "omni.document", "0.ndjson");
      appendFileSync(file, `{"key":"lead-1","value":{"event":"no such event"}}\n`);
      return `omni.document/0/${readFileSync(file, "utf8").trim().split("\n").length - 1}`;
    },
    async close(): Promise<void> {
      world.goOn();
      await Promise.all([first.stop(), second?.stop(), stopApi?.()]);
      receiver.close();
      world.leave();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What an API tells, without the lag of an event loop that is the test's too. */
export const withoutLoop = (text: string | undefined): string | undefined =>
  text?.replace(/^nodejs_eventloop_.*$/gm, "");

/** The hash of a key, by its name. */
export const hashOf = (keys: ReturnType<typeof openKeys>, key: string): string =>
  listKeys(keys)
    .find(({ name }) => name === key)
    ?.hash.toString("hex") ?? "";
