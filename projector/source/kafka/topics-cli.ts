// `npm run topics [-- --partitions N] [--replication R] [--retention-ms MS]`: creates the topics that are missing.
import { parseArgs } from "node:util";
import kafkajs, { type Admin, type ITopicConfig } from "kafkajs";
import { readConfig } from "../../../shared/config.ts";
import { createLog } from "../../../shared/log.ts";
import { createKafka, hopeless } from "./client.ts";
import { wantedTopics } from "./wanted-topics.ts";

const USAGE = `usage: npm run topics [-- --partitions N --replication R --retention-ms MS]

Creates the topics that are missing, and compares those that exist with what is wanted.
Exit codes: 0 all as wanted, 1 failed, 2 wrong usage, 4 a topic that exists differs.`;
const FOREVER = "-1";

const given = readArguments();
if (given === undefined) {
  console.error(USAGE);
  process.exitCode = 2;
} else if (given === "help") {
  console.log(USAGE);
} else {
  process.exitCode = await run(given);
}

interface TopicsArguments {
  readonly partitions: number;
  /** Undefined = as is: not compared with what exists. */
  readonly asked: { readonly partitions: boolean; readonly retention: boolean };
  readonly replication: number;
  readonly retentionMs: string;
}

function readArguments(): TopicsArguments | "help" | undefined {
  try {
    const { values } = parseArgs({
      options: {
        partitions: { type: "string" },
        replication: { type: "string", default: "1" },
        "retention-ms": { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
    if (values.help) return "help";
    const [partitions, replication] = [Number(values.partitions ?? 4), Number(values.replication)];
    const retentionMs = values["retention-ms"] ?? FOREVER;
    const right = [partitions, replication].every((number) => Number.isInteger(number) && number > 0);
    if (!right || !/^(-1|\d+)$/.test(retentionMs)) return undefined;
    const asked = {
      partitions: values.partitions !== undefined,
      retention: values["retention-ms"] !== undefined,
    };
    return { partitions, replication, retentionMs, asked };
  } catch {
    return undefined;
  }
}

async function run({ partitions, replication, retentionMs, asked }: TopicsArguments): Promise<number> {
  const { kafka: config, logLevel, maxEventBytes } = readConfig(process.env);
  if (!config) {
    console.error("set KAFKA_BROKERS to the brokers, for example KAFKA_BROKERS=localhost:9092");
    return 2;
  }
  const admin = createKafka(config, createLog("projector", logLevel)).admin();
  const all = wantedTopics(config, { partitions, replication, retentionMs, maxEventBytes });
  try {
    await admin.connect();
    const existing = new Set(await admin.listTopics());
    const missing = all.filter(({ topic }) => !existing.has(topic));
    if (missing.length > 0) await admin.createTopics({ topics: missing, waitForLeaders: true });
    const found = all.filter(({ topic }) => existing.has(topic));
    const differences = await differencesOf(admin, found, asked);
    for (const { topic } of all) {
      const differs = differences.get(topic);
      if (!existing.has(topic)) console.log(`created  ${topic}`);
      else if (differs === undefined) console.log(`exists   ${topic}`);
      else console.log(`differs  ${topic}: ${differs.join("; ")}`);
    }
    if (differences.size === 0) return 0;
    console.error(
      "Topics that exist are left as they are. Change a setting with Kafka's own kafka-configs.sh; the number of " +
        "partitions of a topic with records can't be changed: a lead's events would lie in two of them.",
    );
    return 4;
  } catch (error) {
    console.error(`can't create the topics: ${(hopeless(error) ?? (error as Error)).message}`);
    return 1;
  } finally {
    await admin.disconnect();
  }
}

/** How topics that exist differ from what is wanted, by their names; those that don't are left out. */
async function differencesOf(
  admin: Admin,
  wanted: readonly ITopicConfig[],
  asked: TopicsArguments["asked"],
): Promise<ReadonlyMap<string, string[]>> {
  const differences = new Map<string, string[]>();
  if (wanted.length === 0) return differences;
  const names = wanted.map(({ topic }) => topic);
  const { topics } = await admin.fetchTopicMetadata({ topics: names });
  const counts = new Map(topics.map(({ name, partitions }) => [name, partitions.length]));
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: names.map((name) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name })),
  });
  const configs = new Map(
    resources.map(({ resourceName, configEntries }) => [
      resourceName,
      new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
    ]),
  );
  for (const { topic, numPartitions, configEntries = [] } of wanted) {
    const found: string[] = [];
    const count = counts.get(topic);
    // Dead letters have one partition whatever is asked for; a count that nobody asked for is not compared.
    if (count !== numPartitions && (asked.partitions || count === 0))
      found.push(`${count} partitions, not ${numPartitions}`);
    for (const { name, value } of configEntries) {
      const has = configs.get(topic)?.get(name) ?? "";
      if (name === "retention.ms" && !asked.retention && has === FOREVER) continue;
      if (name === "retention.ms" && !asked.retention && value === FOREVER)
        found.push(`${name} ${has}: its oldest records are deleted`);
      else if (name === "max.message.bytes" ? Number(has) < Number(value) : has !== value)
        found.push(`${name} ${has}, not ${value}`);
    }
    if (found.length > 0) differences.set(topic, found);
  }
  // The topics of a lead's events are partitioned alike, or a lead is folded in two places.
  return differences;
}
