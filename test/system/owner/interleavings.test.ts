import { expect, test } from "vitest";
import { ownerRun } from "./owner-run.ts";

test("random interleavings of all that an owner does end with the views of a fresh fold", async () => {
  const said: string[] = [];
  const { takeoverMs: _, ...counts } = await ownerRun({ rounds: 6, seed: 11, workers: 2 }, (line) =>
    said.push(line),
  );
  expect(counts, said.join("\n")).toEqual({
    rounds: 6,
    stuck: 0,
    lost: 0,
    differingViews: 0,
    numbersReused: 0,
  });
}, 300_000);
