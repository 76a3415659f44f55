import fc from "fast-check";
import { expect, test } from "vitest";
import {
  decodeSeen,
  encodeSeen,
  hasMark,
  type Marks,
  markOf,
  REMEMBERED,
  withMark,
} from "../../../../projector/fold/seen-events.ts";
import { TOPICS } from "../../../../shared/events/catalogue.ts";

test("the latest 128 are remembered, each by when it was seen last", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(150), { maxLength: 600 }), (keys) => {
      let marks: Marks = "";
      const model: number[] = [];
      for (const key of keys) {
        expect(hasMark(marks, markOf(`event-${key}`))).toBe(model.includes(key));
        marks = withMark(marks, markOf(`event-${key}`));
        if (model.includes(key)) model.splice(model.indexOf(key), 1);
        model.push(key);
        if (model.length > REMEMBERED) model.shift();
      }
    }),
    { numRuns: 50 },
  );
});

test("a mark is not found across two others", () => {
  expect(hasMark("abcdefghijklmnop", "efghijkl")).toBe(false);
  expect(hasMark("abcdefghijklmnopefghijkl", "efghijkl")).toBe(true);
});

test("what is stored comes back", () => {
  const marks = Array.from({ length: REMEMBERED }, (_, index) => markOf(String(index))).join("");
  const seen = new Map<string, Marks>([
    [TOPICS.checklist, markOf("a")],
    [TOPICS.actionLog, marks],
  ]);
  expect(decodeSeen(encodeSeen(seen))).toEqual(seen);
  expect(encodeSeen(new Map())).toBeNull();
});
