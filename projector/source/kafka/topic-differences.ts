import kafkajs, { type Admin, type ITopicConfig } from "kafkajs";
import { FOREVER } from "./wanted-topics.ts";

/** What was asked for by name, and so is compared with what exists. */
export interface AskedOfTopics {
  readonly partitions: boolean;
  readonly retention: boolean;
}

/** How topics that exist differ from what is wanted, by their names; those that don't are left out. */
export async function topicDifferences(
  admin: Admin,
  wanted: readonly ITopicConfig[],
  asked: AskedOfTopics,
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
  return differences;
}
