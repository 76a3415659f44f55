import { readFileSync } from "node:fs";
import * as Schema from "@effect/schema/Schema";
import { TOPICS } from "./events/catalogue.ts";
import { ONLY_SHARD, parseShard, type Shard } from "./shard.ts";

const NonEmpty = Schema.String.check(Schema.isMinLength(1));
const Brokers = Schema.String.check(
  Schema.makeFilter(
    (text: string) =>
      text.split(",").every((broker) => /^(\[[^\]]+\]|[^:,\s]+):\d{1,5}$/.test(broker.trim())) ||
      "must be host:port, or several with commas between",
  ),
);
const TopicName = Schema.String.check(
  Schema.makeFilter(
    (text: string) =>
      /^[A-Za-z0-9._-]{1,249}$/.test(text) || "must be a Kafka topic name (letters, digits, . _ -)",
  ),
);
const SessionTimeout = Schema.String.check(
  Schema.makeFilter(
    (text: string) =>
      (/^\d{3,6}$/.test(text) && Number(text) >= 1_000) || "must be whole milliseconds from 1000 to 999999",
  ),
);
const TopicBytes = Schema.String.check(
  Schema.makeFilter(
    (text: string) =>
      (/^\d{6,10}$/.test(text) && Number(text) >= 131_072 && Number(text) <= LARGEST_TOPIC_BYTES) ||
      `must be whole bytes from 131072 to ${LARGEST_TOPIC_BYTES}`,
  ),
);
const PartitionCount = Schema.String.check(
  Schema.makeFilter(
    (text: string) =>
      /^[1-9]\d{0,5}$/.test(text) || "WORKSPACE_PARTITIONS must be a whole number from 1 to 999999",
  ),
);
const ShardSetting = Schema.String.check(
  Schema.makeFilter(
    (text: string) =>
      parseShard(text) !== undefined ||
      "SHARD must be k/N: the shard's number from 0 on, and how many there are, such as 0/2",
  ),
);
/** What a broker takes in one request, whatever a topic allows (socket.request.max.bytes), with room for the rest of it. */
const LARGEST_TOPIC_BYTES = 100_000_000;
const optional = Schema.optionalKey;

/** The environment variables of the Kafka connection. */
export const kafkaEnvironment = {
  KAFKA_BROKERS: optional(Brokers),
  KAFKA_CLIENT_ID: optional(NonEmpty),
  KAFKA_GROUP_ID: optional(NonEmpty),
  KAFKA_PREVIOUS_GROUP_ID: optional(NonEmpty),
  KAFKA_SESSION_TIMEOUT_MS: optional(SessionTimeout),
  SHARD: optional(ShardSetting),
  WORKSPACE_PARTITIONS: optional(PartitionCount),
  KAFKA_TLS: optional(Schema.Literals(["true", "false"])),
  KAFKA_TLS_CA_FILE: optional(NonEmpty),
  KAFKA_SASL_MECHANISM: optional(Schema.Literals(["plain", "scram-sha-256", "scram-sha-512"])),
  KAFKA_SASL_USERNAME: optional(NonEmpty),
  KAFKA_SASL_PASSWORD: optional(NonEmpty),
  KAFKA_TOPIC_LEAD: optional(TopicName),
  KAFKA_TOPIC_CHECKLIST: optional(TopicName),
  KAFKA_TOPIC_DOCUMENT: optional(TopicName),
  KAFKA_TOPIC_ACTION_LOG: optional(TopicName),
  KAFKA_TOPIC_WEBHOOK: optional(TopicName),
  KAFKA_TOPIC_DEAD_LETTER: optional(TopicName),
  KAFKA_TOPIC_LEAD_VIEW: optional(TopicName),
  KAFKA_TOPIC_LEAD_VIEW_FLOOR: optional(TopicName),
  KAFKA_TOPIC_KEYS: optional(TopicName),
  KAFKA_MAX_VIEW_BYTES: optional(TopicBytes),
  KAFKA_MAX_DEAD_LETTER_BYTES: optional(TopicBytes),
};

export const DEFAULT_GROUP = "lead-view-projector";

const DEFAULT_TOPIC_BYTES = 16 * 1024 ** 2;

const KafkaEnvironment = Schema.Struct(kafkaEnvironment);
type KafkaSettings = (typeof KafkaEnvironment)["Type"];

export interface KafkaConfig {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly groupId: string;
  /** The group of the members that this one is to take over from, with other shards; undefined = there are none. */
  readonly previousGroupId: string | undefined;
  /** What part of the event topics is read. */
  readonly shard: Shard;
  /** How many partitions the event topics are to have, by workspace; undefined = it is not said. */
  readonly workspacePartitions: number | undefined;
  /** True for a reader that comes once: its group is removed when it goes. */
  readonly temporaryGroup?: true;
  /** Milliseconds after which the group takes a silent member for dead. */
  readonly sessionTimeoutMs: number;
  /** False = plain text; otherwise TLS, with the machine's certificate authorities or the given one. */
  readonly tls: false | { readonly ca?: string };
  readonly sasl:
    | {
        readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
        readonly username: string;
        readonly password: string;
      }
    | undefined;
  /** The broker's name of each event topic, by the catalogue's name. */
  readonly topics: ReadonlyMap<string, string>;
  readonly deadLetterTopic: string;
  /** The compacted topic of the views. */
  readonly leadViewTopic: string;
  /** The compacted topic that says up to which change the topic of views has everything. */
  readonly floorTopic: string;
  /** The compacted topic of the API's keys. */
  readonly keysTopic: string;
  /** Bytes of the largest request that the topic of views, and that of dead letters, is to take. */
  readonly maxViewBytes: number;
  readonly maxDeadLetterBytes: number;
}

/**
 * The Kafka connection; undefined where KAFKA_BROKERS is not set.
 * @throws Error naming settings that don't fit together
 */
export function kafkaConfig(settings: KafkaSettings): KafkaConfig | undefined {
  const { KAFKA_BROKERS, KAFKA_TLS, KAFKA_TLS_CA_FILE } = settings;
  if (KAFKA_BROKERS === undefined) return undefined;
  const topics = eventTopics(settings);
  const deadLetterTopic = settings.KAFKA_TOPIC_DEAD_LETTER ?? "omni.lead_view.dead_letter";
  const leadViewTopic = settings.KAFKA_TOPIC_LEAD_VIEW ?? "omni.lead_view";
  // Two systems on one cluster that have topics of views of their own have these too.
  const floorTopic = settings.KAFKA_TOPIC_LEAD_VIEW_FLOOR ?? `${leadViewTopic}.floor`;
  const keysTopic = settings.KAFKA_TOPIC_KEYS ?? `${leadViewTopic}.keys`;
  const all = [...topics.values(), deadLetterTopic, leadViewTopic, floorTopic, keysTopic];
  if (new Set(all).size < all.length) throw new Error("each KAFKA_TOPIC_* needs a topic of its own");
  const groupId = settings.KAFKA_GROUP_ID ?? DEFAULT_GROUP;
  if (settings.KAFKA_PREVIOUS_GROUP_ID === groupId)
    throw new Error("KAFKA_PREVIOUS_GROUP_ID is the group of other members than KAFKA_GROUP_ID is");
  if (KAFKA_TLS !== "true" && KAFKA_TLS_CA_FILE !== undefined) {
    throw new Error("KAFKA_TLS_CA_FILE needs KAFKA_TLS=true");
  }
  return {
    brokers: KAFKA_BROKERS.split(",").map((broker) => broker.trim()),
    clientId: settings.KAFKA_CLIENT_ID ?? "lead-view",
    groupId,
    previousGroupId: settings.KAFKA_PREVIOUS_GROUP_ID,
    shard: shardOf(settings),
    workspacePartitions: workspacePartitionsOf(settings),
    sessionTimeoutMs: Number(settings.KAFKA_SESSION_TIMEOUT_MS ?? 30_000),
    tls: KAFKA_TLS === "true" && (KAFKA_TLS_CA_FILE ? { ca: readFileSync(KAFKA_TLS_CA_FILE, "utf8") } : {}),
    sasl: saslOf(settings),
    topics,
    deadLetterTopic,
    leadViewTopic,
    floorTopic,
    keysTopic,
    maxViewBytes: Number(settings.KAFKA_MAX_VIEW_BYTES ?? DEFAULT_TOPIC_BYTES),
    maxDeadLetterBytes: Number(settings.KAFKA_MAX_DEAD_LETTER_BYTES ?? DEFAULT_TOPIC_BYTES),
  };
}

export const shardOf = ({ SHARD }: KafkaSettings): Shard =>
  (SHARD === undefined ? undefined : parseShard(SHARD)) ?? ONLY_SHARD;

export const workspacePartitionsOf = ({ WORKSPACE_PARTITIONS }: KafkaSettings): number | undefined =>
  WORKSPACE_PARTITIONS === undefined ? undefined : Number(WORKSPACE_PARTITIONS);

/** The broker's name of each event topic, by the catalogue's name. */
export const eventTopics = (settings: KafkaSettings): ReadonlyMap<string, string> =>
  new Map([
    [TOPICS.lead, settings.KAFKA_TOPIC_LEAD ?? TOPICS.lead],
    [TOPICS.checklist, settings.KAFKA_TOPIC_CHECKLIST ?? TOPICS.checklist],
    [TOPICS.document, settings.KAFKA_TOPIC_DOCUMENT ?? TOPICS.document],
    [TOPICS.actionLog, settings.KAFKA_TOPIC_ACTION_LOG ?? TOPICS.actionLog],
    [TOPICS.webhook, settings.KAFKA_TOPIC_WEBHOOK ?? TOPICS.webhook],
  ]);

function saslOf(settings: KafkaSettings): KafkaConfig["sasl"] {
  const {
    KAFKA_SASL_MECHANISM: mechanism,
    KAFKA_SASL_USERNAME: username,
    KAFKA_SASL_PASSWORD: password,
  } = settings;
  if (mechanism === undefined && username === undefined && password === undefined) return undefined;
  if (mechanism === undefined || username === undefined || password === undefined) {
    throw new Error("KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD go together");
  }
  return { mechanism, username, password };
}
