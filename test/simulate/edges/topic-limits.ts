import type { TopicLimit } from "../../../projector/publish/topic-limits.ts";

export { LIMIT, wantedLimits, warnOfLimits } from "../../../projector/publish/topic-limits.ts";

export const readTopicLimits = async (): Promise<TopicLimit[]> => [];
