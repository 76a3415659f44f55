import kafkajs, { type PartitionAssigner } from "kafkajs";
import { type Share, takes } from "../share.ts";

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol;

/** Gives a reader that is alone in its group the partitions of its share. */
export const createShareAssigner =
  (share: Share): PartitionAssigner =>
  ({ cluster }) => {
    const name = "lead-view-share";
    const version = 0;
    return {
      name,
      version,
      protocol: ({ topics }) => ({
        name,
        metadata: MemberMetadata.encode({ version, topics, userData: Buffer.alloc(0) }),
      }),
      async assign({ members, topics }) {
        const partitionsOf = (topic: string) =>
          cluster
            .findTopicPartitionMetadata(topic)
            .map(({ partitionId }) => partitionId)
            .filter((partition) => takes(share, partition));
        const assignment = Object.fromEntries(topics.map((topic) => [topic, partitionsOf(topic)]));
        const memberAssignment = MemberAssignment.encode({ version, assignment, userData: Buffer.alloc(0) });
        return members.map(({ memberId }) => ({ memberId, memberAssignment }));
      },
    };
  };
