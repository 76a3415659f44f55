import type { Admin } from "kafkajs";
import type { KafkaConfig } from "../../../shared/kafka-config.ts";
import { type Position, partitionName } from "../source.ts";
import { readGroupNotes } from "./group-notes.ts";

/** What the members are doing that others are about to take over from, with other shards. */
export interface PreviousMembers {
  readonly groupId: string;
  /** Members that are still at work. */
  readonly members: number;
  /** Records that they have folded, and that are not folded here yet. */
  readonly behind: number;
  /** The last number that they gave; undefined where they left none. */
  readonly number: number | undefined;
}

/** Follows another group, whose partitions of the same topics this one has to have come as far in. */
export function createPreviousMembers(config: KafkaConfig, groupId: string) {
  let state: PreviousMembers | undefined;
  return {
    state: (): PreviousMembers | undefined => state,
    async look(admin: Admin, positions: readonly Position[]): Promise<PreviousMembers> {
      // Asked first: what a member notes when it leaves is read after it has left.
      const { groups } = await admin.describeGroups([groupId]);
      const { latest, offsets } = await readGroupNotes(admin, config, groupId);
      const here = new Map(positions.map((one) => [partitionName(one), one.nextOffset]));
      const behind = [...offsets].reduce(
        (sum, [name, offset]) => sum + Math.max(0, offset - (here.get(name) ?? 0)),
        0,
      );
      state = { groupId, members: groups[0]?.members.length ?? 0, behind, number: latest?.number };
      return state;
    },
  };
}
