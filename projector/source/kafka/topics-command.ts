import type { Command } from "commander";
import { does, type Outcome, UsageError } from "../../../shared/command-line/command.ts";
import { commandSettings } from "../../../shared/command-line/settings.ts";
import { table } from "../../../shared/command-line/terminal.ts";
import { wholeNumber } from "../../../shared/command-line/values.ts";
import type { Config } from "../../../shared/config.ts";

interface TopicsOptions {
  readonly partitions?: number;
  readonly replication: number;
  readonly retentionMs?: number;
}

const DEFAULT_PARTITIONS = 4;
const DIFFER =
  "Topics that exist are left as they are. Change a setting with Kafka's own kafka-configs.sh; the number of partitions of a " +
  "topic with records can't be changed: a lead's events would lie in two of them.";

export function register(command: Command): void {
  does<TopicsOptions>(
    command
      .option(
        "--partitions <number>",
        `of each topic of events; ${DEFAULT_PARTITIONS} where it is made anew`,
        wholeNumber(1, 10_000),
      )
      .option("--replication <number>", "copies of each", wholeNumber(1, 100), 1)
      .option(
        "--retention-ms <ms>",
        "how long events are kept; -1, for ever, where it is made anew",
        wholeNumber(-1),
      ),
    {
      example: "topics --partitions 4",
      help: "Needs KAFKA_BROKERS. Creates what is missing, and says how what exists differs from what is wanted (exit code 4).",
      run: async (options) => create(await commandSettings(), options),
    },
  );
}

async function create(
  { kafka, maxEventBytes }: Config,
  { partitions, replication, retentionMs }: TopicsOptions,
): Promise<Outcome> {
  if (!kafka) throw new UsageError("set KAFKA_BROKERS to the brokers, such as localhost:9092");
  const [
    { createKafka, hopeless },
    { createTopics },
    { topicDifferences },
    { FOREVER, wantedTopics },
    { createLog },
  ] = await Promise.all([
    import("./client.ts"),
    import("./create-topics.ts"),
    import("./topic-differences.ts"),
    import("./wanted-topics.ts"),
    import("../../../shared/log.ts"),
  ]);
  const admin = createKafka(kafka, createLog("projector", "warn")).admin();
  const all = wantedTopics(kafka, {
    partitions: partitions ?? DEFAULT_PARTITIONS,
    replication,
    retentionMs: retentionMs === undefined ? FOREVER : String(retentionMs),
    maxEventBytes,
  });
  try {
    await admin.connect();
    const existing = new Set(await admin.listTopics());
    const missing = all.filter(({ topic }) => !existing.has(topic));
    if (missing.length > 0) await createTopics(admin, missing);
    const found = all.filter(({ topic }) => existing.has(topic));
    const asked = { partitions: partitions !== undefined, retention: retentionMs !== undefined };
    const differences = await topicDifferences(admin, found, asked);
    const topics = all.map(({ topic }) => {
      const differs = differences.get(topic) ?? [];
      const state = existing.has(topic) ? (differs.length > 0 ? "differs" : "exists") : "created";
      return { topic, state, differs };
    });
    return {
      json: { topics },
      lines: table(
        ["state", "topic", "how it differs"],
        topics.map(({ topic, state, differs }) => [state, topic, differs.join("; ")]),
        "",
      ),
      ...(differences.size === 0 ? {} : { note: DIFFER, exitCode: 4 }),
    };
  } catch (error) {
    throw hopeless(error) ?? error;
  } finally {
    await admin.disconnect();
  }
}
