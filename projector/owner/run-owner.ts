import { delay, monotonic } from "../../shared/clock.ts";
import type { Config } from "../../shared/config.ts";
import { generationFile, servingGeneration } from "../../shared/generation.ts";
import type { KafkaConfig } from "../../shared/kafka-config.ts";
import type { Logger } from "../../shared/log.ts";
import { createDecoder } from "../decode/decode.ts";
import type { Monitor } from "../ops/monitor.ts";
import { readTopicLimits, warnOfLimits } from "../publish/topic-limits.ts";
import { openEndpoints, webhooksFile } from "../publish/webhooks/endpoints.ts";
import { removeLeftChecks } from "../rebuild/generations.ts";
import { RETURNS } from "../source/source.ts";
import { isPassing } from "../store/trouble.ts";
import { untilPassed } from "../store/until-passed.ts";
import type { Tracing } from "../trace/tracing.ts";
import { carryOut } from "./carry-out.ts";
import { QUICK } from "./handlers.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { createOwner, type Fold, type Owner } from "./owner.ts";
import { becomeProjector, isReplicaFile } from "./replica-folder.ts";
import type { Request } from "./requests.ts";
import { type Serving, startServing } from "./serving.ts";

const LOOK_MS = 50;
const ERASE_RETRY_MS = 1_000;
const ERASED_AT_ONCE = 500;
/** Milliseconds between two looks for what killed checks left behind. */
const LEFT_MS = 5_000;
/** Milliseconds between two looks whether the file of the views is to be rewritten after erases. */
const SCRUB_MS = 1_000;

export interface OwnerParts {
  readonly config: Config;
  readonly log: Logger;
  readonly monitor: Monitor;
  readonly tracing: Tracing;
}

/**
 * Owns the folder until the signal aborts: folds the log into the serving generation, carries out what it is asked for,
 * and erases from the kept generations.
 * @throws Error where the fold can't go on; the message says what to do
 */
export async function runOwner(
  { config, log, monitor, tracing }: OwnerParts,
  signal: AbortSignal,
): Promise<void> {
  const { databaseDir } = config;
  monitor.is("owner", "the generation that serves is being opened");
  const decode = createDecoder(config);
  const endpoints = await untilPassed("the endpoints' file", () => openEndpoints(webhooksFile(databaseDir)), {
    log,
    signal,
  });
  if (!endpoints) return;
  const parts = { config, log, decode, tracing, endpoints, monitor };
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);
  const work = new AbortController();
  const untilEnd = AbortSignal.any([signal, work.signal]);
  let serving: Serving | undefined;
  let starting: Promise<void> = Promise.resolve();
  let hasBegun = false;
  const start = () => {
    hasBegun = true;
    const open = () => startServing(parts, servingGeneration(databaseDir));
    starting = untilPassed("the view database", open, { log, signal: untilEnd }).then((started) => {
      serving = started;
      serving?.ended.catch(failure.reject);
    });
    starting.catch(failure.reject);
  };
  const current = (): Serving => {
    if (serving) return serving;
    throw new Error("another generation begins to serve; ask again");
  };
  const fold: Fold = {
    betweenCommits: (work) => current().betweenCommits(work),
    tap: (onRecord) => current().tap(onRecord),
    hasBegun: () => hasBegun,
    hasFoldedWhatWas: () => serving?.hasFoldedWhatWas() ?? false,
    async pause() {
      if (!hasBegun) return;
      await starting;
      const ending = current();
      serving = undefined;
      await ending.stop(RETURNS);
      await ending.close();
    },
    resume: start,
  };
  let owner: Owner | undefined;
  let stopHeart: (() => void) | undefined;
  try {
    owner = await untilPassed("the control database", () => createOwner({ config, log, decode }, fold), {
      log,
      signal,
    });
    if (!owner) return;
    const beat = () => startHeartbeat(databaseDir, monitor);
    stopHeart = await untilPassed("the control database", beat, { log, signal });
    if (isReplicaFile(generationFile(databaseDir, servingGeneration(databaseDir))))
      await becomeProjector(owner, { monitor, log }, untilEnd);
    else start();
    if (config.kafka) void checkLimits(config.kafka, monitor, log);
    const working = [
      carryOutRequests(owner, () => serving, untilEnd),
      eraseFromKept(owner, () => serving, untilEnd),
    ];
    const stopped = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    await Promise.race([failure.promise, stopped, ...working.map((one) => one.then(() => stopped))]);
    work.abort();
    await Promise.all(working);
  } finally {
    work.abort();
    await starting.catch(() => undefined);
    await serving?.stop();
    await serving?.close();
    stopHeart?.();
    await owner?.close();
    endpoints.close();
  }
}

/** Compares what the topics take with what the settings want, once; the relays wait for nothing of it. */
async function checkLimits(kafka: KafkaConfig, monitor: Monitor, log: Logger): Promise<void> {
  try {
    const limits = await readTopicLimits(kafka, log);
    monitor.limits(limits);
    warnOfLimits(limits, log);
  } catch (error) {
    log.warn({ error: (error as Error).message }, "the topics' limits can't be read");
  }
}

async function carryOutRequests(
  owner: Owner,
  serving: () => Serving | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { log, requests } = owner;
  await untilPassed("the control database", requests.abandonRunning, { log, signal });
  await Promise.all([
    carryOutInTurn(owner, () => requests.next(QUICK, false), signal),
    // Between two generations there is nothing that it could be done to.
    carryOutInTurn(owner, () => (serving() ? requests.next(QUICK, true) : undefined), signal),
  ]);
}

/** Carries out one request after another. */
async function carryOutInTurn(
  owner: Owner,
  next: () => Request | undefined,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const request = unlessPassing(next);
    if (request) await carryOut(request, owner, signal);
    else await delay(LOOK_MS, signal);
  }
}

/** What is looked at again in a moment. @returns undefined where trouble that can pass is in the way now */
function unlessPassing<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (!isPassing(error)) throw error;
    return undefined;
  }
}

/** Does the duties that erases left in kept generations, and removes copies that nobody has (rule: erase everywhere). */
async function eraseFromKept(
  owner: Owner,
  serving: () => Serving | undefined,
  signal: AbortSignal,
): Promise<void> {
  let scrubbedAt = Number.NEGATIVE_INFINITY;
  let lookedAt = monotonic();
  while (!signal.aborted) {
    if (monotonic() - lookedAt > LEFT_MS) {
      lookedAt = monotonic();
      unlessPassing(() => removeLeftChecks(owner.config.databaseDir));
    }
    if (monotonic() - scrubbedAt > SCRUB_MS) {
      scrubbedAt = monotonic();
      // What can't be rewritten now (a full disk, a busy file) stays marked, and is tried again.
      await serving()
        ?.scrub()
        .catch((error) => owner.log.warn({ error: error.message }, "erased leads' pages not rewritten yet"));
    }
    const duties = unlessPassing(() => serving()?.store.erased.duties(ERASED_AT_ONCE)) ?? [];
    const generation = duties[0]?.generation;
    let done = false;
    if (generation !== undefined && generation !== owner.generation() && !owner.isInHand(generation)) {
      const leadIds = duties.filter((duty) => duty.generation === generation).map(({ leadId }) => leadId);
      done = await owner.eraser.erase(owner.config.databaseDir, generation, leadIds);
      if (done) {
        // A switch came between, or the database is busy: the duty is done again, after a while.
        done = await owner
          .betweenCommits((store) => {
            store.transaction(() => {
              for (const leadId of leadIds) store.erased.endDuty({ generation, leadId });
            });
          })
          .then(
            () => true,
            () => false,
          );
      }
    }
    const wait = done ? 0 : generation === undefined ? LOOK_MS : ERASE_RETRY_MS;
    await delay(wait, signal);
  }
}
