import { createRandom, type Random } from "../generate/random.ts";

// A probe is a member that no schema knows, with a value of every kind that JSON has: what passes through has to come
// out of the view as the very text that went in (rule: digits).

const NAME = /"probe-(\d+)":/g;

/** Marks the place of a probe in JSON that is still a tree. */
export const probeMember = (number: number): readonly [name: string, value: string] => [
  `probe-${number}`,
  `@probe-${number}@`,
];

/** Puts the values of all probes into the text of their tree; now and then with spaces around. */
export const withProbes = (json: string, random: Random): string =>
  json.replace(/"@probe-(\d+)@"/g, (_all, number) =>
    random.chance(0.2) ? ` ${probeText(Number(number))}\n` : probeText(Number(number)),
  );

/** The value of a probe: the same text for the same number, written as densely as the view is. */
export const probeText = (number: number): string => valueText(createRandom(number * 7 + 1), 0);

/** @returns how many probes a view's text has, and those whose text is not the one that went in */
export function checkProbes(body: string): { readonly seen: number; readonly altered: readonly string[] } {
  const altered: string[] = [];
  let seen = 0;
  for (const found of body.matchAll(NAME)) {
    seen++;
    const start = found.index + found[0].length;
    const text = body.slice(start, endOfValue(body, start));
    const expected = probeText(Number(found[1]));
    if (text !== expected) altered.push(`${found[0]} ${expected} became ${text}`);
  }
  return { seen, altered };
}

function valueText(random: Random, depth: number): string {
  switch (random.integer(0, depth < 3 ? 7 : 5)) {
    case 0:
      return random.pick(["null", "true", "false"]);
    case 1:
      return random.pick(TEXTS);
    case 6:
      return `[${list(random, () => valueText(random, depth + 1)).join(",")}]`;
    case 7:
      return `{${list(random, (index) => `"${NAMES[index]}":${valueText(random, depth + 1)}`).join(",")}}`;
    default:
      return numberText(random);
  }
}

const list = (random: Random, make: (index: number) => string): string[] =>
  Array.from({ length: random.integer(0, NAMES.length) }, (_, index) => make(index));

/** Names in an order that no program changes. */
const NAMES = ["rawJSON", "b", "toString", "a "] as const;

const TEXTS = [
  '"\\ud83d"',
  '"cut \\uD83D"',
  '"\\udE00 and \\ud800"',
  '"\u{1F600} 李 \u0301"',
  '"\\u0000\\u001f\\"\\\\"',
  '"at 1.0, -0 or 1e400"',
  '"2026-03-01T00:00:10.000Z"',
  '""',
];

function numberText(random: Random): string {
  const digits = (most: number) =>
    Array.from({ length: random.integer(0, most) }, () => random.integer(0, 9)).join("");
  const whole = random.chance(0.3) ? "0" : `${random.integer(1, 9)}${digits(random.pick([3, 30]))}`;
  const fraction = random.chance(0.4)
    ? `.${random.chance(0.2) ? "000000" : ""}${digits(random.pick([2, 30]))}0`
    : "";
  const exponent = random.chance(0.2)
    ? `${random.pick(["e", "E", "e+", "E-"])}${random.integer(0, 500)}`
    : "";
  return `${random.chance(0.3) ? "-" : ""}${whole}${random.chance(0.5) ? fraction.slice(0, -1).replace(/\.$/, "") : fraction}${exponent}`;
}

/** Where a JSON value ends that begins at a place of a text. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; ; at++) {
    const unit = text[at];
    if (unit === '"') {
      for (at++; text[at] !== '"'; at++) if (text[at] === "\\") at++;
    } else if (unit === "{" || unit === "[") depth++;
    else if (unit === "}" || unit === "]") {
      if (--depth < 0) return at;
    } else if (unit === "," && depth === 0) return at;
    if (depth === 0 && (unit === "}" || unit === "]" || unit === '"')) return at + 1;
  }
}
