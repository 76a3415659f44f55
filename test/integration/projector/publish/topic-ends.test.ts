// Whether the topic is still the one that was published to: what comes between the question and its answer is no loss.
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTopicEnds } from "../../../../projector/publish/topic-ends.ts";
import { openProjector } from "../../../harness/projector.ts";

const { signal } = new AbortController();
let projector: ReturnType<typeof openProjector>;

beforeEach(() => {
  projector = openProjector();
});
afterEach(() => projector.close());

test("records that are acknowledged while the broker is asked are not missed; a topic that ends before them is another one", async () => {
  const ends = createTopicEnds(projector.store, "relay");
  ends.acknowledged(0, 10);
  const busy = async () => {
    ends.acknowledged(0, 30);
    return new Map([[0, 20]]);
  };
  expect(await ends.check(busy, signal)).toBe(true);
  expect([ends.offsets(), ends.takeBeginsAgain()]).toEqual([new Map([[0, 30]]), false]);
  // A broker that just became the leader says less at first.
  const answers = [15, 30];
  expect(await ends.check(async () => new Map([[0, answers.shift() as number]]), signal)).toBe(true);
  expect(ends.takeBeginsAgain()).toBe(false);
  expect(await ends.check(async () => new Map([[0, 15]]), signal)).toBe(false);
  expect([ends.offsets(), ends.takeBeginsAgain(), ends.takeBeginsAgain()]).toEqual([
    new Map([[0, 15]]),
    true,
    false,
  ]);
});
