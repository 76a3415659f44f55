// `npm run topics [-- --partitions N] [--replication R] [--retention-ms MS]`: creates the topics that are missing.
import { parseArgs } from "node:util";
import { readConfig } from "../../../shared/config.ts";
import { createLog } from "../../../shared/log.ts";
import { createKafka, hopeless } from "./client.ts";

const USAGE = "usage: npm run topics [-- --partitions N --replication R --retention-ms MS]";
const FOREVER = "-1";

const { values } = parseArgs({
  options: {
    partitions: { type: "string", default: "4" },
    replication: { type: "string", default: "1" },
    "retention-ms": { type: "string", default: FOREVER },
  },
});
const { kafka: config, logLevel } = readConfig(process.env);
const [partitions, replication] = [Number(values.partitions), Number(values.replication)];
const retention = values["retention-ms"];

if (!(Number.isInteger(partitions) && partitions > 0 && Number.isInteger(replication) && replication > 0)) {
  fail(USAGE, 2);
} else if (!/^(-1|\d+)$/.test(retention)) {
  fail(USAGE, 2);
} else if (!config) {
  fail("set KAFKA_BROKERS to the brokers, for example KAFKA_BROKERS=localhost:9092", 2);
} else {
  const admin = createKafka(config, createLog("projector", logLevel)).admin();
  // Patches don't survive compaction: event topics keep every record.
  const events = [...config.topics.values()].map((topic) => ({
    topic,
    numPartitions: partitions,
    replicationFactor: replication,
    configEntries: [
      { name: "cleanup.policy", value: "delete" },
      { name: "retention.ms", value: retention },
      { name: "retention.bytes", value: FOREVER },
    ],
  }));
  const letters = {
    topic: config.deadLetterTopic,
    numPartitions: 1,
    replicationFactor: replication,
    configEntries: [{ name: "retention.ms", value: FOREVER }],
  };
  const views = {
    topic: config.leadViewTopic,
    numPartitions: partitions,
    replicationFactor: replication,
    configEntries: [{ name: "cleanup.policy", value: "compact" }],
  };
  const all = [...events, letters, views];
  try {
    await admin.connect();
    const existing = new Set(await admin.listTopics());
    const missing = all.filter(({ topic }) => !existing.has(topic));
    if (missing.length > 0) await admin.createTopics({ topics: missing, waitForLeaders: true });
    for (const { topic } of all) {
      console.log(`${existing.has(topic) ? "exists " : "created"}  ${topic}`);
    }
  } catch (error) {
    fail(`can't create the topics: ${(hopeless(error) ?? (error as Error)).message}`, 1);
  } finally {
    await admin.disconnect();
  }
}

function fail(message: string, code: number): void {
  console.error(message);
  process.exitCode = code;
}
