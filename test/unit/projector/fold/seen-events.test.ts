import fc from "fast-check";
import { expect, test } from "vitest";
import {
  decodeSeen,
  encodeSeen,
  hasMark,
  type Marks,
  markOf,
  REMEMBERED,
  remember,
} from "../../../../projector/fold/seen-events.ts";
import { TOPICS } from "../../../../shared/events/catalogue.ts";

test("the latest 128 are remembered, each by when it was seen last", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(150), { maxLength: 600 }), (keys) => {
      const marks: Marks = [];
      const model: number[] = [];
      for (const key of keys) {
        expect(hasMark(marks, markOf(`event-${key}`))).toBe(model.includes(key));
        remember(marks, markOf(`event-${key}`));
        if (model.includes(key)) model.splice(model.indexOf(key), 1);
        model.push(key);
        if (model.length > REMEMBERED) model.shift();
      }
    }),
    { numRuns: 50 },
  );
});

test("ids that differ in little have different marks", () => {
  const ids = Array.from({ length: 200_000 }, (_, index) => `1-${index}`);
  expect(new Set([...ids, ...ids.map((id) => `${id}0`), ...ids.map((id) => `0${id}`)].map(markOf)).size).toBe(
    new Set([...ids, ...ids.map((id) => `${id}0`), ...ids.map((id) => `0${id}`)]).size,
  );
});

test("what is stored comes back", () => {
  const marks = Array.from({ length: REMEMBERED }, (_, index) => markOf(String(index)));
  const seen = new Map<string, Marks>([
    [TOPICS.checklist, [markOf("a")]],
    [TOPICS.actionLog, marks],
  ]);
  expect(decodeSeen(encodeSeen(seen))).toEqual(seen);
  expect(encodeSeen(new Map())).toBeNull();
});
