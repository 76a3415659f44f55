import { every, monotonic, type Timer } from "../shared/clock.ts";
import { ProblemError } from "../shared/http/problem.ts";
import type { FoldedPosition, Views } from "./views.ts";

/** The header by which a client that knows its event's position asks for the view after it (rule: read your writes). */
export const WAIT_HEADER = "x-wait-for-position";
/** The header by which one that was told of a change elsewhere asks for a view that is no older. */
export const VERSION_HEADER = "x-wait-for-version";

const LOOK_MS = 5;
const LONGEST_WAIT_MS = 2_000;
/** Of a process; a request that waits holds a connection and a little memory. */
const MOST_WAITS = 1_000;
const MOST_WAITS_OF_A_KEY = MOST_WAITS / 4;

/** What a request waits for, as its headers have it; what is undefined is not waited for. */
export interface WaitedFor {
  /** `topic/partition/offset` of an event. */
  readonly position: string | undefined;
  /** The number of a change: of this lead, or of another one that may have changed it. */
  readonly version: string | undefined;
}

/** Requests that wait until an event is folded, or a change is here. */
export interface PositionWaits {
  /**
   * Calls `done` when all that is waited for is here, at once where it is; or with the problem: 400 for what is no position
   * or version, 504 where it does not come in time, 429 and 503 where too many wait.
   * @returns a function that ends the wait without a call
   */
  wait(given: WaitedFor, leadId: string, keyId: string, done: (problem?: Error) => void): () => void;
}

interface Wait {
  readonly given: WaitedFor;
  readonly position: FoldedPlace | undefined;
  readonly leadId: string;
  readonly version: number | undefined;
  readonly keyId: string;
  readonly deadline: number;
  readonly done: (problem?: Error) => void;
}

/** An event's place in the log. */
interface FoldedPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/**
 * One look at the positions serves all who wait.
 * @param topics the producers' name of each event topic, by the catalogue's name
 */
export function createPositionWaits(views: Views, topics: ReadonlyMap<string, string>): PositionWaits {
  const catalogueNames = new Map([...topics].map(([name, producers]) => [producers, name]));
  const waits = new Set<Wait>();
  const ofKey = new Map<string, number>();
  let timer: Timer | undefined;

  const end = (wait: Wait) => {
    if (!waits.delete(wait)) return;
    const left = (ofKey.get(wait.keyId) as number) - 1;
    if (left === 0) ofKey.delete(wait.keyId);
    else ofKey.set(wait.keyId, left);
    if (waits.size > 0) return;
    timer?.stop();
    timer = undefined;
  };

  /** What all who wait are looked up in: read once for all of them. */
  const lookAround = (anyPosition: boolean, anyVersion: boolean) =>
    attempt(() => ({
      positions: anyPosition ? views.positions() : [],
      commit: anyVersion ? views.lastCommit() : undefined,
    }));

  const isOver = ({ position, leadId, version }: Wait, positions: readonly FoldedPosition[]) =>
    (version === undefined || views.hasChange(leadId, version)) &&
    (position === undefined || isFolded(position, positions));

  let seenCommit: number | undefined;
  const look = () => {
    const now = monotonic();
    const versions = [...waits].some(({ version }) => version !== undefined);
    const around = lookAround(
      [...waits].some(({ position }) => position !== undefined),
      versions,
    );
    // Where nothing was committed since the last look, no change has come.
    const isNews = !versions || around instanceof Error || around.commit !== seenCommit;
    seenCommit = around instanceof Error ? undefined : around.commit;
    for (const wait of [...waits]) {
      const over = around instanceof Error ? around : isNews && attempt(() => isOver(wait, around.positions));
      if (over instanceof Error) finish(wait, over);
      else if (over) finish(wait);
      else if (now > wait.deadline) finish(wait, notHere(wait));
    }
  };

  const finish = (wait: Wait, problem?: Error) => {
    end(wait);
    wait.done(problem);
  };

  const refusalOf = (keyId: string): ProblemError | undefined => {
    if (waits.size >= MOST_WAITS)
      return new ProblemError(503, "Too many requests wait for a position.", { "retry-after": "1" });
    if ((ofKey.get(keyId) ?? 0) >= MOST_WAITS_OF_A_KEY)
      return new ProblemError(429, "Too many requests of this key wait for a position.", {
        "retry-after": "1",
      });
    return undefined;
  };

  return {
    wait(given, leadId, keyId, done) {
      const position = given.position === undefined ? undefined : parse(given.position, catalogueNames);
      const version = given.version === undefined ? undefined : versionOf(given.version);
      if (position instanceof Error || version instanceof Error) {
        done(position instanceof Error ? position : (version as Error));
        return () => undefined;
      }
      const deadline = monotonic() + LONGEST_WAIT_MS;
      const wait: Wait = { position, version, leadId, given, keyId, deadline, done };
      const over = attempt(() => isOver(wait, position === undefined ? [] : views.positions()));
      if (over !== false) {
        done(over instanceof Error ? over : undefined);
        return () => undefined;
      }
      const refusal = refusalOf(keyId);
      if (refusal !== undefined) {
        done(refusal);
        return () => undefined;
      }
      waits.add(wait);
      seenCommit = undefined;
      ofKey.set(keyId, (ofKey.get(keyId) ?? 0) + 1);
      timer ??= every(LOOK_MS, look);
      return () => end(wait);
    },
  };
}

const POSITION = /^([\w.-]{1,249})\/(\d{1,9})\/(\d{1,15})$/;

function versionOf(given: string): number | ProblemError {
  const number = /^\d{1,16}$/.test(given) ? Number(given) : 0;
  if (number > 0 && Number.isSafeInteger(number)) return number;
  return new ProblemError(
    400,
    `${VERSION_HEADER} must be the number of a change, as entity tags and streams have it.`,
  );
}

function parse(given: string, catalogueNames: ReadonlyMap<string, string>): FoldedPlace | ProblemError {
  const match = POSITION.exec(given);
  if (!match)
    return new ProblemError(400, `${WAIT_HEADER} must be topic/partition/offset, such as omni.lead/0/42.`);
  const topic = catalogueNames.get(match[1] as string);
  if (topic === undefined) {
    const known = [...catalogueNames.keys()].join(", ");
    return new ProblemError(400, `${WAIT_HEADER} must name a topic of events: ${known}.`);
  }
  return { topic, partition: Number(match[2]), offset: Number(match[3]) };
}

const isFolded = ({ topic, partition, offset }: FoldedPlace, positions: readonly FoldedPosition[]): boolean =>
  positions.some((one) => one.topic === topic && one.partition === partition && one.nextOffset > offset);

function notHere({ given: { position, version } }: Wait): ProblemError {
  const missing = [
    ...(position === undefined ? [] : [`The event at ${position} is not folded yet.`]),
    ...(version === undefined ? [] : [`Change ${version} is not in the views yet.`]),
  ];
  return new ProblemError(504, `${missing.join(" Or: ")} Try again, or read without waiting for it.`);
}

/** An error is an answer to those who wait, and ends nothing else. */
function attempt<T>(read: () => T): T | Error {
  try {
    return read();
  } catch (error) {
    return error as Error;
  }
}
