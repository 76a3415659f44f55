import kafkajs, { type PartitionAssigner } from "kafkajs";
import { type Share, takes } from "../share.ts";

const NAME = "lead-view";
const VERSION = 1;
const { MemberMetadata, MemberAssignment } = kafkajs.AssignerProtocol;

/**
 * Gives each member of the group the partitions of the share that it declares, whoever joins or leaves: so a lead never moves
 * from one worker to another. A share that two members declare is divided between them; neither is ready then, since a
 * database needs all of it.
 */
export const createAssigner =
  (share: Share): PartitionAssigner =>
  ({ cluster }) => ({
    name: NAME,
    version: VERSION,
    protocol: ({ topics }) => ({
      name: NAME,
      metadata: MemberMetadata.encode({
        version: VERSION,
        topics,
        userData: Buffer.from(JSON.stringify(share)),
      }),
    }),
    async assign({ members, topics }) {
      const claims = members
        .map(({ memberId, memberMetadata }) => ({ memberId, share: shareIn(memberMetadata) }))
        .sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
      const assignments = new Map(claims.map(({ memberId }) => [memberId, {} as Record<string, number[]>]));
      for (const topic of topics) {
        for (const { partitionId } of cluster.findTopicPartitionMetadata(topic)) {
          const claiming = claims.filter((claim) => takes(claim.share, partitionId));
          const chosen = claiming[partitionId % claiming.length];
          if (!chosen) continue;
          const assignment = assignments.get(chosen.memberId) as Record<string, number[]>;
          assignment[topic] = [...(assignment[topic] ?? []), partitionId];
        }
      }
      return [...assignments].map(([memberId, assignment]) => ({
        memberId,
        memberAssignment: MemberAssignment.encode({
          version: VERSION,
          assignment,
          userData: Buffer.alloc(0),
        }),
      }));
    },
  });

const shareIn = (metadata: Buffer): Share =>
  JSON.parse(MemberMetadata.decode(metadata)?.userData.toString("utf8") ?? "null") as Share;
