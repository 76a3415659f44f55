import { Counter, collectDefaultMetrics, Gauge, Histogram, type Registry } from "prom-client";
import { wallClock } from "../../shared/clock.ts";
import { TOPICS } from "../../shared/events/catalogue.ts";
import { VERSION } from "../../shared/version.ts";
import type { Committed } from "../projection/committed.ts";
import { FOLD_VERSION } from "../projection/fold-version.ts";
import { BY_OPERATOR } from "../publish/webhooks/requests.ts";
import type { LogNames } from "../source/log-names.ts";
import { NO_TIMESTAMP } from "../source/source.ts";
import type { Monitor } from "./monitor.ts";

/** Seconds; from a commit of one event to one of a long catch-up. */
const DURATIONS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const FRESHNESS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 120, 600];

/** What only commits tell: counters and durations. */
export function createCommitMetrics(
  registry: Registry,
  { topicName }: Pick<LogNames, "topicName">,
  now: () => number = wallClock,
) {
  const registers = [registry];
  const events = new Counter({
    name: "lead_view_events_total",
    help: "Events by type and what became of them: folded, repeated (passed over), dropped (their lead is erased), unknown_lead (a null value that found nothing of its lead here) or dead_letter",
    labelNames: ["type", "outcome"],
    registers,
  });
  const deadLetters = new Counter({
    name: "lead_view_dead_letters_total",
    help: "Records that became dead letters, by topic",
    labelNames: ["topic"],
    registers,
  });
  // From the start on, so that the first one is an increase.
  for (const topic of Object.values(TOPICS)) deadLetters.inc({ topic: topicName(topic) }, 0);
  const records = new Counter({
    name: "lead_view_records_total",
    help: "Records that were folded",
    registers,
  });
  const commit = new Histogram({
    name: "lead_view_commit_duration_seconds",
    help: "A commit: state, views, outbox and positions in one transaction",
    buckets: DURATIONS,
    registers,
  });
  const assemble = new Histogram({
    name: "lead_view_assemble_duration_seconds",
    help: "Assembling and writing all views of a commit",
    buckets: DURATIONS,
    registers,
  });
  const views = new Counter({
    name: "lead_view_views_assembled_total",
    help: "Views that were assembled",
    registers,
  });
  const freshness = new Histogram({
    name: "lead_view_freshness_seconds",
    help: "From a record's timestamp to the commit that shows it",
    buckets: FRESHNESS,
    registers,
  });
  return ({
    records: count,
    outcomes,
    deadLetters: letters,
    assembly,
    milliseconds,
    timestamps,
  }: Committed): void => {
    for (const { record } of letters) deadLetters.inc({ topic: topicName(record.topic) });
    for (const { type, outcome, events: number } of outcomes) events.inc({ type, outcome }, number);
    if (count === 0) return;
    records.inc(count);
    commit.observe(milliseconds / 1_000);
    assemble.observe(assembly.milliseconds / 1_000);
    views.inc(assembly.views);
    const at = now();
    for (const timestamp of timestamps) {
      if (timestamp !== NO_TIMESTAMP) freshness.observe(Math.max(0, at - timestamp) / 1_000);
    }
  };
}

/** What is looked up when it is asked for: lag by Kafka exporters' names, and the database's state. */
export function registerStateMetrics(
  registry: Registry,
  monitor: Monitor,
  { group, topicName, shard }: Pick<LogNames, "group" | "topicName"> & { readonly shard: string },
): void {
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const perPartition = (name: string, help: string, labelNames: string[] = ["topic", "partition"]) =>
    new Gauge({ name, help, labelNames, registers });
  // The first of them that a scrape asks, so that one measurement serves all.
  new Gauge({
    name: "lead_view_partitions",
    help: "Partitions that this projector reads",
    registers,
    collect() {
      const all = monitor.partitions();
      this.set(all.length);
      for (const one of [ends, offsets, lag, lagSeconds]) one.reset();
      for (const { topic, partition, nextOffset, end, records, seconds } of all) {
        const labels = { topic: topicName(topic), partition: String(partition) };
        ends.set(labels, end);
        offsets.set({ consumergroup: group, ...labels }, nextOffset);
        lag.set({ consumergroup: group, ...labels }, records);
        lagSeconds.set({ consumergroup: group, ...labels }, seconds);
      }
    },
  });
  const ends = perPartition(
    "kafka_topic_partition_current_offset",
    "The offset that the next record will have",
  );
  const ofGroup = ["consumergroup", "topic", "partition"];
  const offsets = perPartition(
    "kafka_consumergroup_current_offset",
    "The offset of the next record to fold",
    ofGroup,
  );
  const lag = perPartition("kafka_consumergroup_lag", "Records that are not folded yet", ofGroup);
  const lagSeconds = perPartition(
    "kafka_consumergroup_lag_seconds",
    "Seconds since the oldest record that is not folded yet was produced, at most",
    ofGroup,
  );
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  gauge("lead_view_ready", "1 where the views are kept up to date", () =>
    monitor.reason() === undefined ? 1 : 0,
  );
  gauge(
    "lead_view_other_fold_rules",
    "1 where views were made by other rules than this program's: rebuild them",
    () => (monitor.otherRules() === undefined ? 0 : 1),
  );
  if (monitor.role === "replica")
    gauge(
      "lead_view_replica_behind_seconds",
      "How old the oldest change is that the projector has made and this replica does not show, at most",
      monitor.behindSeconds,
    );
  gauge("lead_view_generation", "The generation that serves", monitor.generation);
  new Gauge({
    name: "lead_view_owner",
    help: "1 where this process owns its DATABASE_DIR, and it is its turn; 0 where it stands by; by the shard of its settings",
    labelNames: ["shard"],
    registers,
    collect() {
      this.set({ shard }, monitor.standing() === "owner" && monitor.owns() !== false ? 1 : 0);
    },
  });
  new Gauge({
    name: "lead_view_info",
    help: "1, with the program's version, the version of its fold rules, and its role",
    labelNames: ["version", "fold_rules", "role"],
    registers,
    collect() {
      this.set({ version: VERSION, fold_rules: String(FOLD_VERSION), role: monitor.role }, 1);
    },
  });
  new Gauge({
    name: "lead_view_dead_letters",
    help: "Records that could not be folded, and wait to be retried or discarded, by topic",
    labelNames: ["topic"],
    registers,
    collect() {
      this.reset();
      const counts = monitor.deadLettersByTopic();
      // A standby does not know.
      if (counts === undefined) return;
      for (const topic of Object.values(TOPICS))
        this.set({ topic: topicName(topic) }, counts.get(topic) ?? 0);
    },
  });
  new Gauge({
    name: "lead_view_outbox_depth",
    help: "Changes, or dead letters, that wait to be handed on",
    labelNames: ["relay"],
    registers,
    collect() {
      for (const gauge of [this, oldest, asides]) gauge.reset();
      for (const { relay, waiting, setAside, held, oldest: since } of monitor.outboxes()) {
        if (since !== null) oldest.set({ relay }, since / 1_000);
        this.set({ relay }, waiting + setAside);
        asides.set({ relay, retried: "by_itself" }, setAside);
        asides.set({ relay, retried: "by_command" }, held);
      }
    },
  });
  const oldest = new Gauge({
    name: "lead_view_outbox_oldest_timestamp_seconds",
    help: "When the change was made that waits longest to be handed on; not there where none waits",
    labelNames: ["relay"],
    registers,
  });
  const asides = new Gauge({
    name: "lead_view_set_aside",
    help: "Changes, or dead letters, that could not be handed on when their turn came, by what tries them again",
    labelNames: ["relay", "retried"],
    registers,
  });
  new Gauge({
    name: "lead_view_webhook_endpoints",
    help: "Endpoints of webhooks by state: active, failing, disabled since they took nothing, or off by an operator",
    labelNames: ["state"],
    registers,
    collect() {
      const states = { active: 0, failing: 0, disabled: 0, off: 0 };
      for (const { disabledReason, failingSince } of monitor.endpoints()) {
        if (disabledReason === BY_OPERATOR) states.off++;
        else if (disabledReason !== null) states.disabled++;
        else if (failingSince !== null) states.failing++;
        else states.active++;
      }
      for (const [state, count] of Object.entries(states)) this.set({ state }, count);
    },
  });
  new Gauge({
    name: "lead_view_topic_limit_missing_bytes",
    help: "By how much a topic's max.message.bytes is below what the settings want; 0 where it fits",
    labelNames: ["topic"],
    registers,
    collect() {
      this.reset();
      for (const { topic, bytes, wantedBytes } of monitor.topicLimits())
        this.set({ topic }, Math.max(0, wantedBytes - bytes));
    },
  });
  new Gauge({
    name: "lead_view_database_bytes",
    help: "Size of the serving database and of its write-ahead log",
    labelNames: ["file"],
    registers,
    collect() {
      for (const [file, bytes] of Object.entries(monitor.sizes())) this.set({ file }, bytes);
    },
  });
}
