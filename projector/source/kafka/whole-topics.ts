import { randomId } from "../../../shared/clock.ts";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import { ONLY_SHARD } from "../../../shared/shard.ts";

/**
 * The settings for reading all of some topics beside the event log, whatever shard this is, in a group of one's own that is
 * gone with its reader.
 * @param use says what for, in the group's name
 * @param topics the broker's name of each, by the name that positions have
 */
export const wholeTopics = (
  config: KafkaConfig,
  use: string,
  topics: Readonly<Record<string, string>>,
): KafkaConfig => ({
  ...config,
  topics: new Map(Object.entries(topics)),
  groupId: `${config.groupId}-${use}-${randomId()}`,
  temporaryGroup: true,
  shard: ONLY_SHARD,
  previousGroupId: undefined,
  workspacePartitions: undefined,
});
