import { statSync } from "node:fs";
import { every, monotonic, wallClock } from "../../shared/clock.ts";
import type { Config } from "../../shared/config.ts";
import { generationFile } from "../../shared/generation.ts";
import type { Committed } from "../projection/committed.ts";
import { otherFoldRules } from "../projection/fold-version.ts";
import type { TopicLimit } from "../publish/topic-limits.ts";
import { waitingFor } from "../publish/webhooks/deliver.ts";
import { type Endpoint, type Endpoints, relayOf } from "../publish/webhooks/endpoints.ts";
import { isAtHome } from "../publish/webhooks/home.ts";
import type { BrokerCertificate } from "../source/kafka/certificates.ts";
import type { Batch, Source } from "../source/source.ts";
import type { Store } from "../store/store.ts";
import { createLag, type PartitionLag } from "./lag.ts";
import { type Outbox, outboxesOf, readableEndpoints } from "./outboxes.ts";

/** What a projector works on while one generation serves. */
export interface Subject {
  readonly store: Store;
  readonly source: Source;
  readonly endpoints: Pick<Endpoints, "all" | "fact">;
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

/** How an endpoint of webhooks is doing. */
export interface WebhookStatus extends Omit<Outbox, "relay" | "name" | "oldest"> {
  readonly endpoint: Endpoint;
}

/** What a projector is to its folder. */
export type Standing = "starting" | "standby" | "owner";

/** What became of the events of a type since this projector began. */
export interface EventCount {
  readonly type: string;
  readonly folded: number;
  readonly repeated: number;
  readonly dropped: number;
  readonly unknown_lead: number;
  readonly dead_letter: number;
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
  let committedAt: number | undefined;
  let state = `the ${role} starts`;
  const first = role === "replica" ? "the topic of views is read" : "the history is folded";
  let standing: Standing = "starting";
  const events = new Map<string, EventCount>();
  let folded = 0;
  let foldedBefore = 0;
  let sampledAt = monotonic();
  let topicLimits: readonly TopicLimit[] = [];
  let certificates: readonly BrokerCertificate[] = [];
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
    /** How far a replica is behind its projector, in seconds. */
    behindSeconds(): number {
      if (!subject) return 0;
      const unread = Math.max(0, ...partitions().map(({ seconds }) => seconds));
      return Math.max(unread, (subject.behindMs?.() ?? 0) / 1_000);
    },
    /** From now on this is what is worked on; undefined between two generations. */
    observe(next: Subject | undefined): void {
      subject = next;
      // It was another file's, or of what was stopped before it could try again.
      trouble = undefined;
    },
    batch: (batch: Batch): void => lag.folded(batch),
    committed(committed: Committed): void {
      if (committed.records > 0) committedAt = wallClock();
      folded += committed.records;
      for (const { type, outcome, events: number } of committed.outcomes) {
        const none = { folded: 0, repeated: 0, dropped: 0, unknown_lead: 0, dead_letter: 0 };
        const known = events.get(type) ?? { type, ...none };
        events.set(type, { ...known, [outcome]: known[outcome] + number });
      }
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
    /** What the projector is to its folder, and why it works on no generation while it does not. */
    is(now: Standing, why: string): void {
      standing = now;
      state = why;
    },
    role,
    standing: (): Standing => standing,
    /** Events since this projector began, by type. */
    events: (): readonly EventCount[] =>
      [...events.values()].sort((a, b) => (a.type < b.type ? -1 : a.type > b.type ? 1 : 0)),
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
    /** Milliseconds since 1970 at which records were last committed; undefined = not yet. */
    lastCommitAt: (): number | undefined => committedAt,
    /** False while another database has its turn; undefined while it is not known. */
    owns: (): boolean | undefined => subject?.source.owns(),
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
    /** The endpoints of webhooks; none where they can't be read. */
    endpoints: (): readonly Endpoint[] => (subject ? readableEndpoints(subject.endpoints) : []),
    /** Some endpoints and how they are doing, from behind one on; from the first one on where there is none of that id. */
    webhooksAfter(after: string | undefined, most: number): { endpoints: WebhookStatus[]; total: number } {
      if (!subject) return { endpoints: [], total: 0 };
      const { store, endpoints } = subject;
      const all = readableEndpoints(endpoints);
      const begin = all.findIndex(({ id }) => id === after) + 1;
      const counts = new Map(store.setAsides.counts().map((one) => [one.relay, one]));
      const statuses = all.slice(begin, begin + most).map((endpoint) => {
        const { waiting = 0, held = 0 } = counts.get(relayOf(endpoint)) ?? {};
        return { endpoint, waiting: waitingFor(store, endpoint), setAside: waiting, held };
      });
      return { endpoints: statuses, total: all.length };
    },
    /** True where this folder is a copy, or was restored, and sends no webhooks until it is told to. */
    webhooksPaused(): boolean {
      try {
        return subject !== undefined && !isAtHome(databaseDir, subject.endpoints);
      } catch {
        return false;
      }
    },
    outboxes: (): Outbox[] => (subject ? outboxesOf(subject, role, publishes) : []),
    /** How many dead letters wait, by topic; undefined where that is not known just now. */
    deadLettersByTopic: (): ReadonlyMap<string, number> | undefined =>
      subject && new Map(subject.store.deadLetters.byTopic().map(({ topic, count }) => [topic, count])),
    /** Told when the brokers' certificates expire. */
    certificates(found: readonly BrokerCertificate[]): void {
      certificates = found;
    },
    brokerCertificates: (): readonly BrokerCertificate[] => certificates,
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
