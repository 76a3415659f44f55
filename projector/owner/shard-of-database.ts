import { ONLY_SHARD, type Shard, shardName } from "../../shared/shard.ts";
import type { Store } from "../store/store.ts";

type Facts = Pick<Store, "meta" | "positions">;

const isEmpty = ({ meta, positions }: Facts): boolean =>
  meta.get("shard") === undefined && positions.all().every(({ nextOffset }) => nextOffset === 0);

/**
 * Holds a database to the shard that it was begun for: with another shard's positions, records would be taken for folded
 * that never were.
 * @throws Error saying what to do
 */
export function requireSameShard(facts: Facts, shard: Shard): void {
  if (isEmpty(facts)) return;
  const wanted = shardName(shard);
  const has = facts.meta.get("shard") ?? shardName(ONLY_SHARD);
  if (has === wanted) return;
  throw new Error(
    `the views in DATABASE_DIR are those of shard ${has}, and SHARD is ${wanted}: give each shard a folder of its own. To ` +
      "go from one number of shards to another, start the new members with folders and a KAFKA_GROUP_ID of their own " +
      "(RUNBOOK.md), or remove this folder's lead_view files to fold the shard anew",
  );
}

/** The same, and an empty database is begun for this shard. @throws Error as `requireSameShard` */
export function requireShard(facts: Facts, shard: Shard): void {
  if (isEmpty(facts)) facts.meta.set("shard", shardName(shard));
  requireSameShard(facts, shard);
}
