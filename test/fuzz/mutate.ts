import type { Random } from "../generate/random.ts";

/** Values that programs trip over. */
export const NASTY: readonly unknown[] = [
  null,
  true,
  0,
  -0,
  -1,
  1e308,
  Number.MAX_SAFE_INTEGER + 1,
  "",
  " ",
  "\u0000",
  "\ud800",
  "__proto__",
  "constructor",
  "9999-99-99T99:99:99Z",
  "+275760-09-13T00:00:00.001Z",
  "2026-03-01T00:00:00.123456789+14:00",
  "x".repeat(5_000),
  [],
  {},
  [[[[[[]]]]]],
  { toString: null, length: -1 },
  ["__proto__"],
];

/** One of them as text. */
export const nastyText = (random: Random): string => {
  const value = random.pick(NASTY);
  return typeof value === "string" ? value : JSON.stringify(value);
};

/** The bytes, broken in one to four places. */
export function mutateBytes(bytes: Buffer, random: Random): Buffer {
  let result = Buffer.from(bytes);
  for (let times = random.integer(1, 4); times > 0 && result.length > 0; times--) {
    const at = random.integer(0, result.length - 1);
    switch (random.integer(0, 3)) {
      case 0:
        result[at] = random.integer(0, 255);
        break;
      case 1:
        result = result.subarray(0, at);
        break;
      case 2:
        result = Buffer.concat([result.subarray(0, at), randomBytes(random), result.subarray(at)]);
        break;
      default:
        result = Buffer.concat([result.subarray(0, at), result.subarray(at + random.integer(1, 20))]);
    }
  }
  return result;
}

export const randomBytes = (random: Random, most = 40): Buffer =>
  Buffer.from(Array.from({ length: random.integer(0, most) }, () => random.integer(0, 255)));

/** The JSON value with one of its members replaced, removed, renamed or doubled. */
export function mutateJson(value: unknown, random: Random): unknown {
  if (typeof value !== "object" || value === null || random.chance(0.15)) return random.pick(NASTY);
  if (Array.isArray(value)) {
    const at = random.integer(0, value.length);
    return value.toSpliced(at, random.integer(0, 1), mutateJson(value[at], random));
  }
  const entries = Object.entries(value);
  if (entries.length === 0) return { [nastyText(random)]: random.pick(NASTY) };
  const at = random.integer(0, entries.length - 1);
  const [name, member] = entries[at] as [string, unknown];
  const changed: [string, unknown][] = random.pick([
    () => [[name, mutateJson(member, random)] as [string, unknown]],
    () => [],
    () => [[nastyText(random), member] as [string, unknown]],
    () => [[name, { [name]: member }] as [string, unknown]],
  ])();
  return Object.fromEntries(entries.toSpliced(at, 1, ...changed));
}
