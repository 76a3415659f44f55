import type { Config } from "../../shared/config.ts";
import { DEFAULT_GROUP } from "../../shared/kafka-config.ts";

/** What the outside calls the event log: as metrics and traces name it. */
export interface LogNames {
  /** "kafka", or what stands in for it. */
  readonly system: string;
  readonly group: string;
  /** The broker's name of a topic. */
  readonly topicName: (topic: string) => string;
}

export const logNames = ({ kafka }: Pick<Config, "kafka">): LogNames => ({
  system: kafka ? "kafka" : "file_log",
  group: kafka?.groupId ?? DEFAULT_GROUP,
  topicName: (topic) => kafka?.topics.get(topic) ?? topic,
});
