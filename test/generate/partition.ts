/** A lead's partition: by its id alone, so that all of its events of a topic keep their order. */
export function partitionOf(leadId: string, partitions: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < leadId.length; i++) hash = Math.imul(hash ^ leadId.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % partitions;
}
