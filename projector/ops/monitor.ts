import { statSync } from "node:fs";
import { every, monotonic, wallClock } from "../../shared/clock.ts";
import type { Config } from "../../shared/config.ts";
import { generationFile } from "../../shared/generation.ts";
import { otherFoldRules } from "../projection/fold-version.ts";
import type { Committed } from "../projection/projection.ts";
import { DEAD_LETTERS_RELAY } from "../publish/dead-letter-topic.ts";
import type { TopicLimit } from "../publish/topic-limits.ts";
import { VIEWS_RELAY } from "../publish/view-topic.ts";
import { waitingFor } from "../publish/webhooks/deliver.ts";
import { type Endpoint, type Endpoints, relayOf } from "../publish/webhooks/endpoints.ts";
import { REPLICA_RELAY } from "../replica/apply-record.ts";
import type { Batch, Source } from "../source/source.ts";
import type { Store } from "../store/store.ts";
import { createLag, type PartitionLag } from "./lag.ts";

/** What a projector works on while one generation serves. */
export interface Subject {
  readonly store: Store;
  readonly source: Source;
  readonly endpoints: Pick<Endpoints, "all">;
  readonly generation: number;
  /** Milliseconds that a replica is behind what its records tell of; absent = what the log tells is all. */
  readonly behindMs?: () => number;
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
  readonly relay: "kafka" | "dead_letter_topic" | "webhook" | "replica";
  /** Behind the cursor. */
  readonly waiting: number;
  /** Passed by while others went on, and tried again by itself. */
  readonly setAside: number;
  /** Tried again by a command only: refused, undelivered, or gone out as a reference. */
  readonly held: number;
}

/** How an endpoint of webhooks is doing. */
export interface WebhookStatus extends Omit<Outbox, "relay"> {
  readonly endpoint: Endpoint;
}

export type Monitor = ReturnType<typeof createMonitor>;

export interface MonitorOptions {
  readonly role: Config["role"];
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
  { role, databaseDir, publishes, mostLagSeconds }: MonitorOptions,
  onCommit: (committed: Committed) => void,
) {
  let subject: Subject | undefined;
  let trouble: string | undefined;
  let further: () => string | undefined = () => undefined;
  let caughtUp = false;
  let state = `the ${role} starts`;
  const first = role === "replica" ? "the topic of views is read" : "the history is folded";
  let folded = 0;
  let foldedBefore = 0;
  let sampledAt = monotonic();
  let topicLimits: readonly TopicLimit[] = [];
  const lag = createLag();
  const samples: Sample[] = [];

  const partitions = (): PartitionLag[] =>
    subject ? lag.measure(subject.store.positions.all(), subject.source.ends()) : [];

  const sample = () => {
    const seconds = (monotonic() - sampledAt) / 1_000;
    const left = partitions().reduce((sum, { records }) => sum + records, 0);
    samples.push({ at: wallClock(), lag: left, rate: (folded - foldedBefore) / seconds });
    if (samples.length > SAMPLES) samples.shift();
    foldedBefore = folded;
    sampledAt = monotonic();
  };
  const sampling = every(SAMPLE_MS, sample).unref();

  return {
    role,
    /** How far a replica is behind its projector, in seconds. */
    behindSeconds(): number {
      if (!subject) return 0;
      const unread = Math.max(0, ...partitions().map(({ seconds }) => seconds));
      return Math.max(unread, (subject.behindMs?.() ?? 0) / 1_000);
    },
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
    /** From now on this tells too why the node is not ready; undefined where it is. */
    alsoAsk(reason: () => string | undefined): void {
      further = reason;
    },
    /** What the projector is at while no generation is worked on. */
    state(now: string): void {
      state = now;
    },
    /** Why the views are not kept up to date; undefined where they are (rule: ready tells the truth). */
    reason(): string | undefined {
      if (!subject) return state;
      const found = trouble ?? subject.source.trouble() ?? further();
      if (found !== undefined) return found;
      const all = partitions();
      const records = all.reduce((sum, one) => sum + one.records, 0);
      const seconds = Math.max(0, ...all.map((one) => one.seconds));
      // What was not measured yet is not known to be little: a cold start is not ready before it has caught up.
      caughtUp ||= all.every((one) => one.records === 0 || (one.measured && one.seconds <= mostLagSeconds));
      if (!caughtUp) return `${first} first; ${records} records are left`;
      if (seconds <= mostLagSeconds) return undefined;
      const log = role === "replica" ? "topic" : "log";
      return `the views are ${Math.round(seconds)} s behind the ${log}, more than READY_MAX_LAG_S allows`;
    },
    /** Records that are not folded yet. */
    lag: (): number => partitions().reduce((sum, { records }) => sum + records, 0),
    /** The store of the serving generation; undefined between two. */
    store: (): Store | undefined => subject?.store,
    partitions,
    samples: (): readonly Sample[] => samples,
    generation: (): number => subject?.generation ?? 0,
    /** The version of the rules that the views were made by, where it is not this program's. */
    otherRules: (): string | undefined =>
      subject && role === "projector" ? otherFoldRules(subject.store) : undefined,
    deadLetters: (): number => subject?.store.deadLetters.count() ?? 0,
    /** Each endpoint of webhooks; none where they can't be read. */
    webhooks(): WebhookStatus[] {
      if (!subject) return [];
      const { store, endpoints } = subject;
      const counts = new Map(store.setAsides.counts().map((one) => [one.relay, one]));
      return readable(endpoints).map((endpoint) => {
        const { waiting = 0, held = 0 } = counts.get(relayOf(endpoint)) ?? {};
        return { endpoint, waiting: waitingFor(store, endpoint), setAside: waiting, held };
      });
    },
    outboxes(): Outbox[] {
      if (!subject) return [];
      const { store, endpoints } = subject;
      const counts = store.setAsides.counts();
      const outbox = (relay: Outbox["relay"], waiting: number, isIts: (name: string) => boolean): Outbox => {
        const its = counts.filter((one) => isIts(one.relay));
        return {
          relay,
          waiting,
          setAside: its.reduce((sum, one) => sum + one.waiting, 0),
          held: its.reduce((sum, one) => sum + one.held, 0),
        };
      };
      const webhooks = readable(endpoints).reduce((sum, endpoint) => sum + waitingFor(store, endpoint), 0);
      if (role === "replica") return [outbox("replica", 0, (name) => name === REPLICA_RELAY)];
      const views = store.views.waiting(store.relays.position(VIEWS_RELAY));
      const topics = [
        outbox("kafka", views, (name) => name === VIEWS_RELAY),
        outbox("dead_letter_topic", store.deadLetters.waiting(), (name) => name === DEAD_LETTERS_RELAY),
      ];
      return [
        ...(publishes ? topics : []),
        outbox("webhook", webhooks, (name) => name.startsWith("webhook:")),
      ];
    },
    /** Told what the topics that are published to take. */
    limits(found: readonly TopicLimit[]): void {
      topicLimits = found;
    },
    topicLimits: (): readonly TopicLimit[] => topicLimits,
    /** Bytes of the serving database's files. */
    sizes(): { readonly database: number; readonly wal: number } {
      if (!subject) return { database: 0, wal: 0 };
      const file = generationFile(databaseDir, subject.generation);
      const size = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
      return { database: size(file), wal: size(`${file}-wal`) };
    },
    stop: (): void => sampling.stop(),
  };
}

/** The endpoints; none where their file can't be read just now. */
function readable(endpoints: Pick<Endpoints, "all">): Endpoint[] {
  try {
    return endpoints.all();
  } catch {
    return [];
  }
}
