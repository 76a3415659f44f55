import type { Admin } from "kafkajs";
import type { Config } from "../../shared/config.ts";
import type { KafkaConfig } from "../../shared/kafka-config.ts";
import type { Logger } from "../../shared/log.ts";
import { createKafka, hopeless } from "../source/kafka/client.ts";
import { heldOffsets, type OffsetRange } from "../source/kafka/history-check.ts";
import { topicDifferences } from "../source/kafka/topic-differences.ts";
import { FOREVER, wantedTopics } from "../source/kafka/wanted-topics.ts";
import { type Position, partitionName } from "../source/source.ts";
import type { Store } from "../store/store.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

const DEADLINE_MS = 5_000;
/** Records of a partition that retention may be away from what is not folded yet, before it is spoken of, as a share. */
const CLOSE = 0.1;

/** The broker, the topics' settings, and whether they still hold what is not folded yet. */
export async function examineKafka(
  { kafka, maxEventBytes }: Config,
  store: Store | undefined,
  log: Logger,
): Promise<Finding[]> {
  if (kafka === undefined) return [];
  const admin = createKafka(kafka, log, { requestTimeout: DEADLINE_MS, retries: 1 }).admin();
  try {
    await admin.connect();
    const wanted = wantedTopics(kafka, {
      partitions: 1,
      replication: 1,
      retentionMs: FOREVER,
      maxEventBytes,
    });
    const existing = new Set(await admin.listTopics());
    const missing = wanted.filter(({ topic }) => !existing.has(topic)).map(({ topic }) => topic);
    const found = wanted.filter(({ topic }) => existing.has(topic));
    const differences = await topicDifferences(admin, found, { partitions: false, retention: false });
    const findings = [
      ...missing.map((topic) => fail("topics", `there is no topic ${topic}`, "npx lead-view topics")),
      ...[...differences].map(([topic, differs]) =>
        warn(
          "topics",
          `${topic}: ${differs.join("; ")}`,
          "change it with Kafka's kafka-configs.sh --alter, or the setting that wants it so",
        ),
      ),
      ...(await unlikePartitions(admin, kafka, existing)),
      ...(await examineRetention(admin, kafka, existing, store?.positions.all() ?? [])),
    ];
    return findings.length > 0
      ? findings
      : [ok("topics", `${found.length} topics at ${kafka.brokers.join(",")}, as wanted`)];
  } catch (error) {
    const { message } = hopeless(error) ?? (error as Error);
    return [
      fail(
        "topics",
        `Kafka at ${kafka.brokers.join(",")}: ${message}`,
        "is the broker running, and are KAFKA_BROKERS, KAFKA_TLS and KAFKA_SASL_* right?",
      ),
    ];
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

/** The topics of a lead's events are partitioned alike, or a lead is folded by two. */
async function unlikePartitions(
  admin: Admin,
  { topics }: KafkaConfig,
  existing: ReadonlySet<string>,
): Promise<Finding[]> {
  const names = [...topics.values()].filter((name) => existing.has(name));
  if (names.length === 0) return [];
  const { topics: found } = await admin.fetchTopicMetadata({ topics: names });
  const counts = new Set(found.map(({ partitions }) => partitions.length));
  if (counts.size < 2) return [];
  return [
    warn(
      "topics",
      `the topics of events have different numbers of partitions: ${found.map(({ name, partitions }) => `${name} ${partitions.length}`).join(", ")}`,
      "they are folded one lead in one place only where the numbers are the same: make the smaller ones anew (RUNBOOK.md, reshard)",
    ),
  ];
}

async function examineRetention(
  admin: Admin,
  { topics }: KafkaConfig,
  existing: ReadonlySet<string>,
  positions: readonly Position[],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [topic, name] of topics) {
    if (!existing.has(name)) continue;
    const held = await heldOffsets(admin, name);
    for (const position of positions) {
      if (position.topic !== topic) continue;
      const range = held.get(position.partition);
      const finding = range && ofPartition(position, range);
      if (finding) findings.push(finding);
    }
  }
  return findings;
}

function ofPartition(position: Position, { low, high }: OffsetRange): Finding | undefined {
  const name = partitionName(position);
  const { nextOffset } = position;
  if (nextOffset < low)
    return fail(
      "topics",
      `${name}: retention overtook the projector: ${low - nextOffset} records are gone that were not folded`,
      "RUNBOOK.md, retention overtook us: npx lead-view rebuild --from an archive",
    );
  if (nextOffset > high)
    return fail(
      "topics",
      `${name} ends at ${high}, but was folded up to ${nextOffset}: the topic was recreated, or lost records`,
      "RUNBOOK.md, topic recreated",
    );
  if (low > 0 && nextOffset < high && nextOffset - low < (high - low) * CLOSE)
    return warn(
      "topics",
      `${name}: the next record to fold is among the oldest that are left: retention is about to overtake`,
      "raise the topic's retention.ms now, and see why the projector is behind",
    );
  return undefined;
}
