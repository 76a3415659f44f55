import { SETTINGS } from "./config.ts";

/** An environment variable that looks like a setting and is none. */
export interface MistypedSetting {
  readonly name: string;
  /** The setting that it looks like. */
  readonly nearest: string;
}

/** Variables of others that are near to ours: Kafka's own, the shell's, the image of docker-compose.yml. */
const OTHERS = new Set(["HOME", "HOSTNAME", "HOSTTYPE", "KAFKA_HOME", "KAFKA_OPTS", "KAFKA_IMAGE", "POST"]);

/**
 * Environment variables that are one or two slips of the keyboard away from a setting, or the beginning of one: nobody would
 * notice otherwise.
 */
export function mistypedSettings(env: Readonly<Record<string, string | undefined>>): MistypedSetting[] {
  const known = new Set(SETTINGS);
  return Object.keys(env)
    .filter((name) => !known.has(name) && !OTHERS.has(name) && env[name] !== undefined)
    .flatMap((name) => {
      const nearest = nearestSetting(name);
      return nearest === undefined ? [] : [{ name, nearest }];
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function nearestSetting(name: string): string | undefined {
  const upper = name.toUpperCase().replaceAll("-", "_");
  let best: string | undefined;
  // A short name has many neighbours: one slip in every five letters, and no more than two.
  let fewest = Math.min(3, Math.floor(name.length / 5) + 1);
  for (const setting of SETTINGS) {
    if (Math.abs(setting.length - upper.length) >= fewest) continue;
    const slips = slipsBetween(upper, setting);
    if (slips >= fewest) continue;
    fewest = slips;
    best = setting;
  }
  return (
    best ?? (upper.includes("_") ? SETTINGS.find((setting) => setting.startsWith(`${upper}_`)) : undefined)
  );
}

/** Letters left out, put in, exchanged or swapped with their neighbour between two words (Damerau and Levenshtein). */
function slipsBetween(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [i]);
  for (let j = 1; j <= b.length; j++) (rows[0] as number[])[j] = j;
  const at = (i: number, j: number) => rows[i]?.[j] as number;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, at(i - 2, j - 2) + 1);
      (rows[i] as number[])[j] = least;
    }
  }
  return at(a.length, b.length);
}
