import kafkajs, { type Assigner, type PartitionAssigner } from "kafkajs";
import { isPartitionOf, type Shard } from "../../../shared/shard.ts";

// Who of a consumer group reads which partitions (rule: a workspace is one shard's). Kafka's own protocol carries what a
// member says of itself to the member that assigns; nobody else is asked.

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol;

/** What a member of the group says of itself. */
export interface ShardMember {
  readonly shard: Shard;
  /** Names the database that it folds into: members of one database share out its shard's partitions. */
  readonly database: string;
  /** Which of its database's readers it is, from 0 on, and how many there are. */
  readonly worker: number;
  readonly workers: number;
  /** Counts the owners of the shard: the latest one's is the highest; 0 where this database is not an owner. */
  readonly term: number;
  /** Records that its database has folded. */
  readonly folded: number;
}

export interface NamedMember extends ShardMember {
  readonly memberId: string;
}

export type Partitions = Readonly<Record<string, readonly number[]>>;

/**
 * Gives the partitions p with p mod N = k of all topics to the members of one database of shard k: to the one that owns
 * them already, else to the one that has folded the most. The other databases of the shard get nothing, and wait.
 * @param topics the partitions of each topic
 */
export function assignShards(members: readonly NamedMember[], topics: Partitions): Map<string, Partitions> {
  const assigned = new Map<string, Partitions>(members.map(({ memberId }) => [memberId, {}]));
  for (const ofShard of Map.groupBy(members, ({ shard }) => shard.index).values()) {
    const [first] = ofShard.toSorted(beforeOthers);
    const ofDatabase = ofShard.filter(({ database }) => database === first?.database);
    // Of two that say the same of themselves, one is about to be found dead.
    const readers = new Map(ofDatabase.map((member) => [member.worker, member]));
    for (const { memberId, shard, worker, workers } of readers.values()) {
      const isMine = (partition: number) =>
        isPartitionOf(shard, partition) && Math.floor(partition / shard.count) % workers === worker;
      assigned.set(
        memberId,
        Object.fromEntries(
          Object.entries(topics).map(([topic, partitions]) => [topic, partitions.filter(isMine)]),
        ),
      );
    }
  }
  return assigned;
}

const beforeOthers = (one: NamedMember, other: NamedMember): number =>
  other.term - one.term ||
  other.folded - one.folded ||
  (one.database < other.database ? -1 : Number(one.database > other.database));

/**
 * The assigner of a group whose members are shards. The number of shards is in its name: Kafka itself refuses a member
 * that counts them otherwise, for it has no protocol in common with the group.
 * @param member what this member says of itself whenever it joins
 */
export const createShardAssigner =
  (shard: Shard, member: () => ShardMember): PartitionAssigner =>
  ({ cluster }): Assigner => {
    const name = `lead-view-shards-of-${shard.count}`;
    const version = 0;
    return {
      name,
      version,
      protocol: ({ topics }) => ({
        name,
        metadata: MemberMetadata.encode({ version, topics, userData: Buffer.from(JSON.stringify(member())) }),
      }),
      async assign({ members, topics }) {
        const named = members.map(({ memberId, memberMetadata }): NamedMember => {
          const userData = MemberMetadata.decode(memberMetadata)?.userData ?? Buffer.from("{}");
          return { ...(JSON.parse(userData.toString("utf8")) as ShardMember), memberId };
        });
        const partitions = Object.fromEntries(
          topics.map((topic) => [
            topic,
            cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId),
          ]),
        );
        return [...assignShards(named, partitions)].map(([memberId, assignment]) => ({
          memberId,
          memberAssignment: MemberAssignment.encode({
            version,
            assignment: assignment as Record<string, number[]>,
            userData: Buffer.alloc(0),
          }),
        }));
      },
    };
  };
