/** One of several parts of all workspaces, each with databases of its own (rule: a workspace is one shard's). */
export interface Shard {
  /** From 0 on. */
  readonly index: number;
  /** How many there are. */
  readonly count: number;
}

/** What everybody has who does not shard. */
export const ONLY_SHARD: Shard = { index: 0, count: 1 };

const MOST_SHARDS = 1_000;

/** Reads `1/4`: the second of four. Undefined for any other text. */
export function parseShard(text: string): Shard | undefined {
  const [, index, count] = (/^(\d{1,4})\/(\d{1,4})$/.exec(text) ?? []).map(Number);
  if (index === undefined || count === undefined) return undefined;
  return count >= 1 && count <= MOST_SHARDS && index < count ? { index, count } : undefined;
}

export const shardName = ({ index, count }: Shard): string => `${index}/${count}`;

/** True where a partition of the event topics is the shard's: its number modulo the count of shards is the shard's. */
export const isPartitionOf = ({ index, count }: Shard, partition: number): boolean =>
  partition % count === index;

/** The partition that a workspace's events are in, where the event topics are partitioned by workspace. */
export const partitionOfWorkspace = (workspaceId: string, partitions: number): number =>
  (murmur2(Buffer.from(workspaceId, "utf8")) & 0x7fffffff) % partitions;

/**
 * The shard that a workspace is in, of so many. The event topics have a multiple of so many partitions, so that it takes
 * no knowledge of how many.
 */
export const shardOfWorkspace = (workspaceId: string, count: number): number =>
  partitionOfWorkspace(workspaceId, count);

const SEED = 0x9747b28c;
const M = 0x5bd1e995;

/** MurmurHash2 of 32 bits as Kafka's clients have it: what their default partitioners put a key's bytes through. */
function murmur2(bytes: Buffer): number {
  let hash = SEED ^ bytes.length;
  const whole = bytes.length & ~3;
  for (let at = 0; at < whole; at += 4) {
    let word = Math.imul(bytes.readInt32LE(at), M);
    word ^= word >>> 24;
    hash = Math.imul(hash, M) ^ Math.imul(word, M);
  }
  if (whole < bytes.length) {
    for (let at = bytes.length - 1; at >= whole; at--) hash ^= (bytes[at] as number) << ((at - whole) * 8);
    hash = Math.imul(hash, M);
  }
  hash ^= hash >>> 13;
  hash = Math.imul(hash, M);
  return hash ^ (hash >>> 15);
}
