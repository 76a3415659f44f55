import { type Share, takes, WHOLE } from "../../../projector/source/share.ts";
import {
  type Batch,
  type Position,
  partitionName,
  type Sink,
  type Source,
  SourceError,
  type SourceRecord,
} from "../../../projector/source/source.ts";
import { delay, nextTurn } from "../../../shared/clock.ts";
import type { Config } from "../../../shared/config.ts";
import { currentMachine } from "../machine.ts";
import { currentOutside, hashOf } from "../outside.ts";

/** The log in this process, cut into batches as the seed has it. */
export const openSource = (_config: Config): Source => createSource();
export const openHistorySource = (_config: unknown, _log: unknown, share: Share = WHOLE): Source =>
  createSource(share);
export const openWholeLog = (): Source => createSource();

const POLL_MS = 20;

function createSource(share: Share = WHOLE): Source {
  let ends = new Map<string, number>();
  let trouble: string | undefined = "the event log is not read yet";
  const outside = currentOutside();

  const look = () => {
    const taken = [...outside.log].filter(([name]) => takes(share, beginningOf(name).partition));
    ends = new Map(taken.map(([name, records]) => [name, records.length]));
  };

  const readAll = async (sink: Sink, signal: AbortSignal, follow: boolean): Promise<void> => {
    const read = new Map<string, Position>(sink.positions().map((one) => [partitionName(one), one]));
    while (outside.broker === "down" && !signal.aborted) {
      trouble = "the broker can't be reached";
      await delay(POLL_MS, signal);
    }
    for (const [name, { partition }] of read) if (!takes(share, partition)) read.delete(name);
    for (const position of read.values()) requireSameLog(position, outside.log.get(partitionName(position)));
    look();
    const last = follow ? undefined : new Map(ends);
    for (let more = false; !signal.aborted; ) {
      if (outside.broker === "down") {
        trouble = "the broker can't be reached";
        await delay(POLL_MS, signal);
        continue;
      }
      trouble = undefined;
      look();
      const begun = [...ends.keys()].filter((name) => !read.has(name)).map(beginningOf);
      for (const position of begun) read.set(partitionName(position), position);
      const batch: Batch | undefined =
        nextBatch(read, last ?? ends) ?? (more || begun.length > 0 ? NOTHING_MORE : undefined);
      if (batch === undefined && !follow) return;
      if (batch === undefined) {
        await delay(POLL_MS, signal);
        continue;
      }
      await sink.handle({ ...batch, positions: [...begun, ...batch.positions] });
      more = batch.more;
      await nextTurn();
    }
  };

  /** A share of each partition, as large as the seed has it. */
  const nextBatch = (read: Map<string, Position>, upTo: ReadonlyMap<string, number>): Batch | undefined => {
    const { random } = currentMachine();
    const records: SourceRecord[] = [];
    const positions: Position[] = [];
    let left = 0;
    for (const [name, position] of read) {
      const waiting = (outside.log.get(name) ?? []).slice(position.nextOffset, upTo.get(name) ?? 0);
      const taken = waiting.slice(0, random.chance(0.5) ? waiting.length : random.integer(0, 5));
      left += waiting.length - taken.length;
      const newest = taken.at(-1);
      if (!newest) continue;
      records.push(...taken);
      const next: Position = {
        ...position,
        nextOffset: newest.offset + 1,
        last: { offset: newest.offset, hash: hashOf(newest) },
      };
      positions.push(next);
      read.set(name, next);
    }
    if (positions.length === 0 && left === 0) return undefined;
    return { records, positions, more: left > 0 && random.chance(0.5) };
  };

  return {
    run: (sink, signal) => readAll(sink, signal, true),
    readToEnd: (sink, signal) => readAll(sink, signal, false),
    owns: () => true,
    ends: () =>
      [...ends].map(([name, end]) => {
        const { topic, partition } = beginningOf(name);
        return { topic, partition, end };
      }),
    trouble: () => trouble,
  };
}

const NOTHING_MORE: Batch = { records: [], positions: [], more: false };

function beginningOf(name: string): Position {
  const [topic = "", partition] = name.split("/");
  return { topic, partition: Number(partition), nextOffset: 0, last: null, cursor: null };
}

function requireSameLog(position: Position, records: readonly SourceRecord[] = []): void {
  const { nextOffset, last } = position;
  if (nextOffset > records.length)
    throw new SourceError(`${partitionName(position)}: the log ends before offset ${nextOffset}`);
  const record = last && records[last.offset];
  if (record && hashOf(record) !== last.hash)
    throw new SourceError(`${partitionName(position)}: the record at offset ${last.offset} is another one`);
}
