import { every, monotonic, type Timer } from "../shared/clock.ts";
import { ProblemError } from "../shared/http/problem.ts";
import type { FoldedPosition, Views } from "./views.ts";

/** The header by which a client that knows its event's position asks for the view after it (rule: read your writes). */
export const WAIT_HEADER = "x-wait-for-position";

const LOOK_MS = 5;
const LONGEST_WAIT_MS = 2_000;
/** Of a process; a request that waits holds a connection and a little memory. */
const MOST_WAITS = 1_000;
const MOST_WAITS_OF_A_KEY = MOST_WAITS / 4;

/** Requests that wait until an event is folded. */
export interface PositionWaits {
  /**
   * Calls `done` when the event at the given position, `topic/partition/offset`, is folded, at once where it is; or with
   * the problem: 400 for what is no position, 504 where the event is not folded in time, 429 and 503 where too many wait.
   * @returns a function that ends the wait without a call
   */
  wait(given: string, keyId: string, done: (problem?: Error) => void): () => void;
}

interface Wait {
  readonly given: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly keyId: string;
  readonly deadline: number;
  readonly done: (problem?: Error) => void;
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

  const look = () => {
    const now = monotonic();
    const positions = attempt(() => views.positions());
    for (const wait of [...waits]) {
      if (positions instanceof Error) finish(wait, positions);
      else if (isFolded(wait, positions)) finish(wait);
      else if (now > wait.deadline) finish(wait, notFolded(wait));
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
    wait(given, keyId, done) {
      const position = parse(given, catalogueNames);
      if (position instanceof Error) {
        done(position);
        return () => undefined;
      }
      const deadline = monotonic() + LONGEST_WAIT_MS;
      const wait: Wait = { ...position, given, keyId, deadline, done };
      const positions = attempt(() => views.positions());
      if (positions instanceof Error || isFolded(wait, positions)) {
        done(positions instanceof Error ? positions : undefined);
        return () => undefined;
      }
      const refusal = refusalOf(keyId);
      if (refusal !== undefined) {
        done(refusal);
        return () => undefined;
      }
      waits.add(wait);
      ofKey.set(keyId, (ofKey.get(keyId) ?? 0) + 1);
      timer ??= every(LOOK_MS, look);
      return () => end(wait);
    },
  };
}

const POSITION = /^([\w.-]{1,249})\/(\d{1,9})\/(\d{1,15})$/;

function parse(
  given: string,
  catalogueNames: ReadonlyMap<string, string>,
): Pick<Wait, "topic" | "partition" | "offset"> | ProblemError {
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

const isFolded = ({ topic, partition, offset }: Wait, positions: readonly FoldedPosition[]): boolean =>
  positions.some((one) => one.topic === topic && one.partition === partition && one.nextOffset > offset);

const notFolded = ({ given }: Wait): ProblemError =>
  new ProblemError(
    504,
    `The event at ${given} is not folded yet. Try again, or read without ${WAIT_HEADER}.`,
  );

/** An error is an answer to those who wait, and ends nothing else. */
function attempt<T>(read: () => T): T | Error {
  try {
    return read();
  } catch (error) {
    return error as Error;
  }
}
