import { isIP } from "node:net";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import * as Schema from "@effect/schema/Schema";
import type { HttpTimeouts } from "./http/server.ts";
import {
  eventTopics,
  type KafkaConfig,
  kafkaConfig,
  kafkaEnvironment,
  shardOf,
  workspacePartitionsOf,
} from "./kafka-config.ts";
import type { Shard } from "./shard.ts";

const NonEmpty = Schema.String.check(Schema.isMinLength(1));
const Digits = (name: string, min: number, max: number) =>
  Schema.String.check(
    Schema.makeFilter((text: string) => {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      return (value >= min && value <= max) || `${name} must be a whole number from ${min} to ${max}`;
    }),
  );
const Url = Schema.String.check(
  Schema.makeFilter(
    (text: string) => URL.canParse(text) || "must be a URL such as https://s3.us-east-2.amazonaws.com",
  ),
);
/** Names of networks that the word stands for: loopback, link-local and private ones. */
const NETWORKS = ["loopback", "linklocal", "uniquelocal"];
const isNetwork = (text: string): boolean => {
  if (NETWORKS.includes(text)) return true;
  const [address = "", bits] = text.split("/");
  const family = isIP(address);
  if (family === 0 || bits === undefined) return family !== 0;
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128);
};
const Networks = Schema.String.check(
  Schema.makeFilter(
    (text: string) =>
      listOf(text).every(isNetwork) ||
      `TRUSTED_PROXIES must be addresses or networks with commas between, such as 10.0.0.0/8, or ${NETWORKS.join(", ")}`,
  ),
);
const ShardUrls = (name: string) =>
  Schema.String.check(
    Schema.makeFilter(
      (text: string) =>
        shardUrlsOf(text).every((urls) => urls.every(isBase)) ||
        `${name} must be base addresses in the order of the shards with commas between, such as ` +
          "http://a:3000,http://b:3000; several of one shard with | between",
    ),
  );
/** A base address has neither path nor query. */
function isBase(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && `${url.pathname}${url.search}${url.hash}` === "/";
}
const shardUrlsOf = (text: string): string[][] => listOf(text).map((urls) => urls.split("|"));
const listOf = (text: string): string[] => text.split(",").map((one) => one.trim());
const optional = Schema.optionalKey;

/** Every environment variable the system reads; the README lists the same. */
const Environment = Schema.Struct({
  ROLE: optional(Schema.Literals(["projector", "replica"])),
  PROJECTOR_URL: optional(Url),
  EVENT_LOG_DIR: optional(NonEmpty),
  DATABASE_DIR: optional(NonEmpty),
  HOST: optional(NonEmpty),
  PORT: optional(Digits("PORT", 0, 65_535)),
  API_WORKERS: optional(Digits("API_WORKERS", 1, 256)),
  RATE_LIMIT_PER_MINUTE: optional(Digits("RATE_LIMIT_PER_MINUTE", 0, 1_000_000_000)),
  KEEP_ALIVE_TIMEOUT_MS: optional(Digits("KEEP_ALIVE_TIMEOUT_MS", 1_000, 3_600_000)),
  REQUEST_TIMEOUT_MS: optional(Digits("REQUEST_TIMEOUT_MS", 100, 600_000)),
  TRUSTED_PROXIES: optional(Networks),
  API_DRAIN_MS: optional(Digits("API_DRAIN_MS", 0, 600_000)),
  API_STREAMS_PER_KEY: optional(Digits("API_STREAMS_PER_KEY", 1, 1_000_000)),
  API_CACHE_MIB: optional(Digits("API_CACHE_MIB", 1, 1_048_576)),
  LOG_LEVEL: optional(Schema.Literals(["fatal", "error", "warn", "info", "debug", "trace", "silent"])),
  WEBHOOK_WORKSPACE_ID: optional(NonEmpty),
  WEBHOOKS_ALLOW_PRIVATE: optional(Schema.Literals(["true", "false"])),
  OPS_HOST: optional(NonEmpty),
  OPS_PORT: optional(Digits("OPS_PORT", 0, 65_535)),
  OPS_KEY: optional(
    Schema.String.check(
      Schema.makeFilter((text: string) => text.length >= 16 || "needs 16 characters or more"),
    ),
  ),
  OTEL_EXPORTER_OTLP_ENDPOINT: optional(Url),
  MAX_EVENT_BYTES: optional(Digits("MAX_EVENT_BYTES", 1_024, 268_435_456)),
  S3_ENDPOINT: optional(Url),
  S3_REGION: optional(NonEmpty),
  S3_BUCKET: optional(NonEmpty),
  S3_ACCESS_KEY_ID: optional(NonEmpty),
  S3_SECRET_ACCESS_KEY: optional(NonEmpty),
  READY_MAX_LAG_S: optional(Digits("READY_MAX_LAG_S", 1, 31_536_000)),
  FOLD_WORKERS: optional(Digits("FOLD_WORKERS", 1, 64)),
  FOLD_WORKERS_FROM: optional(Digits("FOLD_WORKERS_FROM", 0, 1_000_000_000)),
  SHARD_URLS: optional(ShardUrls("SHARD_URLS")),
  SHARD_OPS_URLS: optional(ShardUrls("SHARD_OPS_URLS")),
  ...kafkaEnvironment,
});

/** The names of all settings. */
export const SETTINGS: readonly string[] = Object.keys(Environment.fields);

export interface S3Config {
  readonly endpoint: URL;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Where the projector tells of itself: metrics, health and the operator's page. */
export interface OpsConfig {
  readonly host: string;
  /** Undefined = the default, given up without harm where it is taken. */
  readonly port: number | undefined;
  /** What opens the operator's page; undefined = a key of the machine's own, on loopback addresses only. */
  readonly key: string | undefined;
}

export const DEFAULT_OPS_PORT = 3_001;
/** Where the embedded event log is without a word, from the folder that the program is started in. */
export const DEFAULT_EVENT_LOG_DIR = "data";

export interface Config {
  /** A projector folds the event log; a replica follows the topic of views and folds nothing. */
  readonly role: "projector" | "replica";
  /** Where a replica fetches views that are larger than their topic takes: the projector's OPS_PORT. */
  readonly projectorUrl: string | undefined;
  readonly eventLogDir: string;
  /** Holds the generations of the views, and the keys. */
  readonly databaseDir: string;
  readonly host: string;
  readonly port: number;
  /** Processes that serve the API. */
  readonly apiWorkers: number;
  /** Bytes of views that each of these processes keeps in memory. */
  readonly apiCacheBytes: number;
  /** Streams of Server-Sent Events that a key may have open, over all these processes. */
  readonly streamsPerKey: number;
  /** Milliseconds that the API serves on after SIGTERM, so that its clients find their way to another one. */
  readonly apiDrainMs: number;
  /** Of the API's connections and the projector's own. */
  readonly httpTimeouts: HttpTimeouts;
  /** Addresses and networks of proxies whose word on a client's address is taken. */
  readonly trustedProxies: readonly string[];
  readonly ops: OpsConfig;
  /** The base address of an OpenTelemetry collector; undefined = traces are passed on, but not exported. */
  readonly traceEndpoint: string | undefined;
  /** Requests that a key may make in a minute; 0 = no limit. */
  readonly ratePerMinute: number;
  /** Seconds; views that are further behind the log are not ready. */
  readonly readyMaxLagSeconds: number;
  /** Threads that a build folds in, beside the one that writes; with 1 that one folds too. */
  readonly foldWorkers: number;
  /** The same beside the projector's own thread, which reads and writes all the while. */
  readonly foldThreads: number;
  /** Records that have to come without an end in sight before those fold what is followed; 0 = they always do. */
  readonly foldWorkersFrom: number;
  readonly logLevel: string;
  /** The workspace of webhook bodies that name none; undefined = such bodies are dead letters. */
  readonly webhookWorkspaceId: string | undefined;
  /** True where webhooks may be sent to private addresses, and by plain http: for trying out. */
  readonly webhooksAllowPrivate: boolean;
  /** Bytes; a larger record is a dead letter. */
  readonly maxEventBytes: number;
  /** Undefined = document URLs are signed by the local demo signer. */
  readonly s3: S3Config | undefined;
  /** The producers' name of each event topic, by the catalogue's name. */
  readonly topics: ReadonlyMap<string, string>;
  /** The part of all workspaces that is folded and served here. */
  readonly shard: Shard;
  /** The base addresses of each shard's APIs, by the shard's index; empty = there is only this one. */
  readonly shardUrls: readonly (readonly string[])[];
  /** The base addresses of each shard's projectors, where they tell of themselves; empty = they are not known. */
  readonly shardOpsUrls: readonly (readonly string[])[];
  /**
   * How many partitions the workspaces' events are spread over by their workspaces; undefined = by their leads, or, with
   * shards, as many as the event topics have.
   */
  readonly workspacePartitions: number | undefined;
  /** Undefined = the event log is the folder of files. */
  readonly kafka: KafkaConfig | undefined;
}

/** A setting that can't be used; the message names it and says what it takes. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * Reads and checks all settings at once.
 * @throws ConfigError naming the setting and what it takes
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  // An empty variable is an unset one: shells and compose files write `PORT=` for that.
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ""),
  );
  let settings: (typeof Environment)["Type"];
  let kafka: KafkaConfig | undefined;
  try {
    settings = Schema.decodeUnknownSync(Environment)(given);
    kafka = kafkaConfig(settings);
  } catch (cause) {
    throw new ConfigError(`bad configuration: ${(cause as Error).message}`);
  }
  const role = settings.ROLE ?? "projector";
  if (role === "replica" && kafka === undefined)
    throw new ConfigError("bad configuration: ROLE=replica follows a topic of Kafka: set KAFKA_BROKERS");
  const apiWorkers = Number(settings.API_WORKERS ?? availableParallelism());
  const eventLogDir = settings.EVENT_LOG_DIR ?? DEFAULT_EVENT_LOG_DIR;
  return {
    role,
    projectorUrl: settings.PROJECTOR_URL,
    eventLogDir,
    databaseDir: settings.DATABASE_DIR ?? eventLogDir,
    host: settings.HOST ?? "127.0.0.1",
    port: Number(settings.PORT ?? 3000),
    apiWorkers,
    ratePerMinute: Number(settings.RATE_LIMIT_PER_MINUTE ?? 0),
    apiCacheBytes:
      settings.API_CACHE_MIB === undefined ? cacheShare(apiWorkers) : Number(settings.API_CACHE_MIB) * MIB,
    streamsPerKey: Number(settings.API_STREAMS_PER_KEY ?? 1_000),
    apiDrainMs: Number(settings.API_DRAIN_MS ?? 2_000),
    httpTimeouts: {
      // Longer than load balancers keep idle connections (60 s): the balancer is to be the one that closes.
      keepAliveMs: Number(settings.KEEP_ALIVE_TIMEOUT_MS ?? 72_000),
      requestMs: Number(settings.REQUEST_TIMEOUT_MS ?? 10_000),
    },
    trustedProxies: settings.TRUSTED_PROXIES === undefined ? [] : listOf(settings.TRUSTED_PROXIES),
    ops: {
      host: settings.OPS_HOST ?? "127.0.0.1",
      port: settings.OPS_PORT === undefined ? undefined : Number(settings.OPS_PORT),
      key: settings.OPS_KEY,
    },
    traceEndpoint: settings.OTEL_EXPORTER_OTLP_ENDPOINT,
    readyMaxLagSeconds: Number(settings.READY_MAX_LAG_S ?? 60),
    foldWorkersFrom: Number(settings.FOLD_WORKERS_FROM ?? 100_000),
    foldWorkers: Number(settings.FOLD_WORKERS ?? Math.min(64, availableParallelism())),
    // Two threads beside a busy one on two cores fold 1.05 times as much, for 1.3 times the processor (npm run bench:fold).
    foldThreads: Number(settings.FOLD_WORKERS ?? Math.min(64, Math.max(1, availableParallelism() - 1))),
    logLevel: settings.LOG_LEVEL ?? "info",
    webhookWorkspaceId: settings.WEBHOOK_WORKSPACE_ID,
    webhooksAllowPrivate: settings.WEBHOOKS_ALLOW_PRIVATE === "true",
    maxEventBytes: Number(settings.MAX_EVENT_BYTES ?? 1_048_576),
    s3: s3Config(settings),
    topics: eventTopics(settings),
    ...shardConfig(settings),
    kafka,
  };
}

function shardConfig(
  settings: (typeof Environment)["Type"],
): Pick<Config, "shard" | "shardUrls" | "shardOpsUrls" | "workspacePartitions"> {
  const shard = shardOf(settings);
  const [shardUrls, shardOpsUrls] = (["SHARD_URLS", "SHARD_OPS_URLS"] as const).map((name) => {
    const urls = shardUrlsOf(settings[name] ?? "");
    if (settings[name] === undefined) return [];
    if (urls.length === shard.count) return urls;
    throw new ConfigError(
      `bad configuration: ${name} has the addresses of ${urls.length} shards, SHARD says that there are ${shard.count}`,
    );
  }) as [string[][], string[][]];
  const workspacePartitions = workspacePartitionsOf(settings);
  if (shard.count > 1 && settings.KAFKA_BROKERS === undefined) {
    throw new ConfigError("bad configuration: shards need Kafka; set KAFKA_BROKERS, or leave SHARD out");
  }
  if (workspacePartitions !== undefined && workspacePartitions % shard.count !== 0) {
    throw new ConfigError(
      `bad configuration: WORKSPACE_PARTITIONS must be a multiple of the number of shards, ${shard.count}`,
    );
  }
  return { shard, shardUrls, shardOpsUrls, workspacePartitions };
}

const MIB = 1024 ** 2;

/** A tenth of the machine's memory, shared out to the workers. */
const cacheShare = (workers: number): number => Math.max(MIB, Math.floor(totalmem() / 10 / workers));

const S3_SETTINGS = [
  "S3_ENDPOINT",
  "S3_REGION",
  "S3_BUCKET",
  "S3_ACCESS_KEY_ID",
  "S3_SECRET_ACCESS_KEY",
] as const;

function s3Config(settings: (typeof Environment)["Type"]): S3Config | undefined {
  const missing = S3_SETTINGS.filter((name) => settings[name] === undefined);
  if (missing.length === S3_SETTINGS.length) return undefined;
  if (missing.length > 0) {
    throw new ConfigError(`bad configuration: the S3_* settings go together; missing: ${missing.join(", ")}`);
  }
  return {
    endpoint: new URL(settings.S3_ENDPOINT as string),
    region: settings.S3_REGION as string,
    bucket: settings.S3_BUCKET as string,
    accessKeyId: settings.S3_ACCESS_KEY_ID as string,
    secretAccessKey: settings.S3_SECRET_ACCESS_KEY as string,
  };
}

/** The file of the API keys: beside the views, since a rebuild replaces those. */
export const keysFile = (config: Pick<Config, "databaseDir">) => join(config.databaseDir, "keys.sqlite");
