import { expect, test } from "vitest";
import { createTopicEnds } from "../../../../projector/publish/topic-ends.ts";
import { openStore } from "../../../../projector/store/store.ts";

test("what is acknowledged while the broker is asked is no loss; what it has less of than before is", async () => {
  const store = openStore(":memory:");
  try {
    const ends = createTopicEnds(store, "relay");
    ends.acknowledged(0, 3);
    const answer = async () => {
      ends.acknowledged(0, 5);
      return new Map([[0, 3]]);
    };
    expect(await ends.check(answer)).toBe(true);
    expect(ends.takeBeginsAgain()).toBe(false);
    expect(ends.offsets()).toEqual(new Map([[0, 5]]));
    expect(await ends.check(async () => new Map([[0, 4]]))).toBe(false);
    expect(ends.takeBeginsAgain()).toBe(true);
  } finally {
    store.close();
  }
});
