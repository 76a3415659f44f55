import kafkajs from "kafkajs";
import { delay, monotonic, wallClock } from "../../shared/clock.ts";
import type { Config } from "../../shared/config.ts";
import type { KafkaConfig } from "../../shared/kafka-config.ts";
import type { Logger } from "../../shared/log.ts";
import { createKafka, isKafkaTrouble } from "../source/kafka/client.ts";
import { createKafkaSource } from "../source/kafka/kafka-source.ts";
import { wholeTopics } from "../source/kafka/whole-topics.ts";
import { type Batch, type Sink, type Source, SourceError } from "../source/source.ts";
import type { Floors } from "./floors.ts";

/** What positions call the topic of views, and the one that says how far that is, whatever the broker calls them. */
export const VIEWS = "omni.lead_view";
export const FLOORS = "omni.lead_view.floor";

const RETRY_MS = 1_000;
/** Milliseconds: a topic that is found changed again so soon can't be read at all. */
const ANEW_MS = 5_000;
const NAMES = ["delete.retention.ms", "cleanup.policy", "retention.ms"];

/** Milliseconds that Kafka keeps a tombstone where the topic says nothing else (delete.retention.ms). */
const DEFAULT_TOMBSTONE_MS = 86_400_000;

/** Milliseconds that are no time away: a relay says each second that it lives. */
const LEAST_MS = 3_000;

export interface FollowingParts {
  readonly config: Config;
  readonly log: Logger;
  readonly floors: Floors;
  /** When the topics were read last, in milliseconds since 1970; 0 = never. */
  readonly lastReading: () => number;
  /** Has the topics read anew from their beginning. */
  readonly readAnew: () => void;
}

/**
 * The topic of views, and the one that says how far that is, as a log that this replica alone reads with its group. A topic
 * that is not there is waited for; one that is not the one, or not whole, that was read before is read anew, as it is where
 * tombstones may be gone that the replica has not seen.
 */
export function followTopics({ config, log, floors, lastReading, readAnew }: FollowingParts): Source {
  const kafka = config.kafka as KafkaConfig;
  const mostMs = config.readyMaxLagSeconds * 1_000;
  const topics = { [VIEWS]: kafka.leadViewTopic, [FLOORS]: kafka.floorTopic };
  const source = createKafkaSource(wholeTopics(kafka, "replica", topics), log);
  let missing: string | undefined;
  let wellAt = monotonic();

  const beginAnew = (why: string) => {
    log.warn({ topic: kafka.leadViewTopic, why }, "the topic of views is read anew");
    readAnew();
  };

  /** A tombstone that was removed before it was read would leave an erased lead here for good. */
  const followOnce = async (sink: Sink, signal: AbortSignal): Promise<void> => {
    const tombstoneMs = await tombstoneTime(kafka, log);
    const sinceMs = () => wallClock() - lastReading();
    if (lastReading() > 0 && sinceMs() > tombstoneMs)
      beginAnew("it was away for longer than the topic keeps tombstones");
    let handledAt = monotonic();
    const handle = async (batch: Batch): Promise<void> => {
      // A relay says each second that it lives: where nothing came, we were cut off.
      if (monotonic() - handledAt > tombstoneMs)
        throw new SourceError("it was cut off for longer than the topic keeps tombstones", "changed");
      await sink.handle(batch);
      handledAt = monotonic();
    };
    await source.run({ positions: sink.positions, handle }, signal);
  };

  return {
    ends: source.ends,
    owns: source.owns,
    readToEnd: source.readToEnd,
    trouble() {
      const found = source.trouble();
      if (found === undefined) {
        wellAt = monotonic();
        missing = undefined;
      }
      if (missing !== undefined) return missing;
      // Reads go on meanwhile: a broker that is started again is not to take all replicas away at once.
      if (found !== undefined && monotonic() - wellAt > mostMs) return found;
      return floors.trouble(mostMs);
    },
    async run(sink, signal) {
      for (let begunAnewAt = Number.NEGATIVE_INFINITY; !signal.aborted; ) {
        try {
          await followOnce(sink, signal);
          return;
        } catch (error) {
          const isOurs = error instanceof SourceError && error.sign !== undefined;
          if (!isOurs && !isKafkaTrouble(error)) throw error;
          const { message } = error as Error;
          if (isOurs && error.sign === "changed" && monotonic() - begunAnewAt > ANEW_MS) {
            begunAnewAt = monotonic();
            beginAnew(message);
            continue;
          }
          missing = `the topic of views can't be followed: ${message}`;
          log.warn({ error: message, retryInMs: RETRY_MS }, "the topic of views can't be followed");
          await delay(RETRY_MS, signal);
        }
      }
    },
  };
}

/** How long the topic of views keeps a tombstone at least, in milliseconds. */
async function tombstoneTime(kafka: KafkaConfig, log: Logger): Promise<number> {
  const admin = createKafka(kafka, log).admin();
  try {
    await admin.connect();
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: kafka.leadViewTopic, configNames: NAMES }],
    });
    const found = new Map(
      resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]),
    );
    const keepsAll = found.get("cleanup.policy") === "compact" || found.get("retention.ms") === "-1";
    if (found.size > 0 && !keepsAll)
      log.warn(
        { topic: kafka.leadViewTopic, "cleanup.policy": found.get("cleanup.policy") },
        "the topic of views is not only compacted: what is older than its retention is missing here (npm run topics)",
      );
    return Math.max(LEAST_MS, Number(found.get("delete.retention.ms") ?? DEFAULT_TOMBSTONE_MS));
  } catch (error) {
    // The broker is away, or does not let us ask: the reading itself tells of the one, the default does for the other.
    log.debug({ error: (error as Error).message }, "the topic's settings can't be read");
    return DEFAULT_TOMBSTONE_MS;
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
