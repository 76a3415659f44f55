import fc from "fast-check";
import { expect, test } from "vitest";
import { checkable, isObject, parseExactly, parseJson } from "../../../shared/events/exact-json.ts";
import { numberText } from "../../properties/number-text.ts";

const space = fc.constantFrom("", " ", "\n\t ", "  ");

test("every number comes out with the digits that it came in with, wherever it stands", () => {
  const place = fc.constantFrom<(text: string, space: string) => string>(
    (text, s) => `{"a"${s}:${s}${text}${s}}`,
    (text, s) => `[${s}${text}${s}]`,
    (text, s) => `{"a":[1${s},${s}${text}${s}],"b":{"c":"x"}}`,
    (text, s) => `{"deep":{"deeper":[[{"a":${s}${text}}]]}}`,
  );
  fc.assert(
    fc.property(numberText, place, space, (text, put, s) => {
      const json = put(text, s);
      expect(JSON.stringify(parseJson(json))).toBe(json.replaceAll(/\s/g, ""));
    }),
    { numRuns: 5_000 },
  );
});

test("text that only looks like a number stays text", () => {
  const json = '{"a":"x, 1.0","b":[" -0","1e5"],"c":"at 10.50 pm","time":"2026-03-01T10:10:10.000Z"}';
  expect(JSON.stringify(parseJson(json))).toBe(json);
});

test.each(['"\\ud83d"', '"\\uD83D"', '"a\\uDE00b"', '"x\\udE00\\ud83d"', '"\\uD83D\\uDE00"'])(
  "the lone surrogate in %s comes out as the escape that it came as",
  (text) => {
    const written = JSON.stringify(parseJson(`[${text}]`));
    expect(written).toBe((JSON.parse(text) as string).isWellFormed() ? '["\u{1F600}"]' : `[${text}]`);
  },
);

test("what stands for a number is no object, and of the last of equal names", () => {
  const { a } = parseExactly('{"a":1.0,"a":2.0}') as { a: unknown };
  expect(isObject(a)).toBe(false);
  expect(JSON.stringify(a)).toBe("2.0");
});

test("a number that a double can't hold is held to a schema as a number that is not whole", () => {
  const value = parseExactly("[9007199254740993,1e400,1.00000000000000000001,1.0,1e2,-0,0.10]");
  expect(checkable(value)).toEqual([0.5, 0.5, 0.5, 1, 100, -0, 0.1]);
});
