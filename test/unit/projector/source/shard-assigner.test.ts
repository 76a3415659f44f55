import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assignShards, type NamedMember } from "../../../../projector/source/kafka/shard-assigner.ts";

const TOPICS = { lead: [0, 1, 2, 3, 4, 5, 6, 7], checklist: [0, 1, 2, 3, 4, 5, 6, 7] };

const member = (memberId: string, index: number, more: Partial<NamedMember> = {}): NamedMember => ({
  memberId,
  shard: { index, count: 2 },
  database: memberId,
  worker: 0,
  workers: 1,
  term: 0,
  folded: 0,
  ...more,
});
const leads = (members: readonly NamedMember[]) =>
  Object.fromEntries([...assignShards(members, TOPICS)].map(([id, { lead = [] }]) => [id, lead]));

describe("the group's assigner", () => {
  test("gives each shard the partitions p with p mod N = k, of all topics", () => {
    const assigned = assignShards([member("a", 0), member("b", 1)], TOPICS);
    expect(assigned.get("a")).toEqual({ lead: [0, 2, 4, 6], checklist: [0, 2, 4, 6] });
    expect(assigned.get("b")).toEqual({ lead: [1, 3, 5, 7], checklist: [1, 3, 5, 7] });
  });

  test("a second database of a shard waits: for the owner, though it has folded less, or was named later", () => {
    expect(leads([member("a", 0, { folded: 9 }), member("b", 0, { term: 3 })])).toEqual({
      a: [],
      b: [0, 2, 4, 6],
    });
    expect(leads([member("a", 0, { term: 1 }), member("b", 0, { term: 2 })]).b).toHaveLength(4);
  });

  test("without an owner the one that has folded the most takes over", () => {
    expect(leads([member("a", 0, { folded: 3 }), member("b", 0, { folded: 9 })]).b).toHaveLength(4);
  });

  test("the readers of one database share out its shard's partitions", () => {
    const workers = [0, 1].map((worker) => member(`a${worker}`, 1, { database: "a", worker, workers: 2 }));
    expect(leads(workers)).toEqual({ a0: [1, 5], a1: [3, 7] });
    expect(leads(workers.slice(1))).toEqual({ a1: [3, 7] });
  });

  test("no partition is ever given twice, and none of another shard", () => {
    const anyMember = fc.record({
      index: fc.integer({ min: 0, max: 1 }),
      database: fc.constantFrom("x", "y", "z"),
      worker: fc.integer({ min: 0, max: 2 }),
      term: fc.integer({ min: 0, max: 2 }),
      folded: fc.integer({ min: 0, max: 2 }),
    });
    fc.assert(
      fc.property(fc.array(anyMember), (list) => {
        const members = list.map(({ index, ...more }, at) =>
          member(`m${at}`, index, { ...more, workers: 3 }),
        );
        const given = [...assignShards(members, TOPICS)].flatMap(([id, topics]) =>
          (topics.lead ?? []).map((partition) => {
            expect(partition % 2).toBe(members.find(({ memberId }) => memberId === id)?.shard.index);
            return partition;
          }),
        );
        expect(new Set(given).size).toBe(given.length);
      }),
    );
  });
});
