import { statSync } from "node:fs";
import { generationFile } from "../../shared/generation.ts";
import { otherFoldRules } from "../projection/fold-version.ts";
import type { Committed } from "../projection/projection.ts";
import { waitingViews } from "../publish/view-topic.ts";
import type { Endpoints } from "../publish/webhooks/endpoints.ts";
import type { Batch, Source } from "../source/source.ts";
import type { Store } from "../store/store.ts";
import { createLag, type PartitionLag } from "./lag.ts";

/** What a projector works on while one generation serves. */
export interface Subject {
  readonly store: Store;
  readonly source: Source;
  readonly endpoints: Endpoints;
  readonly generation: number;
}

/** One point of the charts. */
export interface Sample {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Records that are not folded yet, over all partitions. */
  readonly lag: number;
  /** Records folded a second since the point before. */
  readonly rate: number;
}

/** How much of something waits to be handed on. */
export interface Outbox {
  readonly relay: "kafka" | "dead_letter_topic" | "webhook";
  readonly waiting: number;
}

export type Monitor = ReturnType<typeof createMonitor>;

export interface MonitorOptions {
  readonly databaseDir: string;
  /** True where changes go to topics. */
  readonly publishes: boolean;
  /** Seconds; views that are further behind the log are not ready. */
  readonly mostLagSeconds: number;
}

const SAMPLE_MS = 2_000;
/** A quarter of an hour. */
const SAMPLES = 450;

/**
 * Knows how the projector is doing, over all generations that serve while it runs.
 * @param onCommit told of every commit
 */
export function createMonitor(
  { databaseDir, publishes, mostLagSeconds }: MonitorOptions,
  onCommit: (committed: Committed) => void,
) {
  let subject: Subject | undefined;
  let trouble: string | undefined;
  let caughtUp = false;
  let state = "the projector starts";
  let folded = 0;
  let foldedBefore = 0;
  let sampledAt = performance.now();
  const lag = createLag();
  const samples: Sample[] = [];

  const partitions = (): PartitionLag[] =>
    subject ? lag.measure(subject.store.positions.all(), subject.source.ends()) : [];

  const sample = () => {
    const seconds = (performance.now() - sampledAt) / 1_000;
    const left = partitions().reduce((sum, { records }) => sum + records, 0);
    samples.push({ at: Date.now(), lag: left, rate: (folded - foldedBefore) / seconds });
    if (samples.length > SAMPLES) samples.shift();
    foldedBefore = folded;
    sampledAt = performance.now();
  };
  const sampling = setInterval(sample, SAMPLE_MS).unref();

  return {
    /** From now on this is what is worked on; undefined between two generations. */
    observe(next: Subject | undefined): void {
      subject = next;
    },
    batch: (batch: Batch): void => lag.folded(batch),
    committed(committed: Committed): void {
      folded += committed.records;
      onCommit(committed);
    },
    /** Told why the database can't be used; undefined where it can. */
    trouble(reason: string | undefined): void {
      trouble = reason;
    },
    /** What the projector is at while no generation is worked on. */
    state(now: string): void {
      state = now;
    },
    /** Why the views are not kept up to date; undefined where they are (rule: ready tells the truth). */
    reason(): string | undefined {
      if (!subject) return state;
      const found = trouble ?? subject.source.trouble();
      if (found !== undefined) return found;
      const all = partitions();
      const records = all.reduce((sum, one) => sum + one.records, 0);
      const seconds = Math.max(0, ...all.map((one) => one.seconds));
      // What was not measured yet is not known to be little: a cold start is not ready before it has caught up.
      caughtUp ||= all.every((one) => one.records === 0 || (one.measured && one.seconds <= mostLagSeconds));
      if (!caughtUp) return `the history is folded first; ${records} records are left`;
      if (seconds <= mostLagSeconds) return undefined;
      return `the views are ${Math.round(seconds)} s behind the log, more than READY_MAX_LAG_S allows`;
    },
    /** Records that are not folded yet. */
    lag: (): number => partitions().reduce((sum, { records }) => sum + records, 0),
    /** The store of the serving generation; undefined between two. */
    store: (): Store | undefined => subject?.store,
    partitions,
    samples: (): readonly Sample[] => samples,
    generation: (): number => subject?.generation ?? 0,
    /** The version of the rules that the views were made by, where it is not this program's. */
    otherRules: (): string | undefined => subject && otherFoldRules(subject.store),
    deadLetters: (): number => subject?.store.deadLetters.count() ?? 0,
    outboxes(): Outbox[] {
      if (!subject) return [];
      const { store, endpoints } = subject;
      const webhooks = endpoints
        .all()
        .reduce((sum, { workspaceId, seq }) => sum + store.views.waitingOf(workspaceId, seq), 0);
      const topics: Outbox[] = [
        { relay: "kafka", waiting: waitingViews(store) },
        { relay: "dead_letter_topic", waiting: store.deadLetters.waiting() },
      ];
      return [...(publishes ? topics : []), { relay: "webhook", waiting: webhooks }];
    },
    /** Bytes of the serving database's files. */
    sizes(): { readonly database: number; readonly wal: number } {
      if (!subject) return { database: 0, wal: 0 };
      const file = generationFile(databaseDir, subject.generation);
      const size = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
      return { database: size(file), wal: size(`${file}-wal`) };
    },
    stop: (): void => clearInterval(sampling),
  };
}
