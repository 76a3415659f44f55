/** A deterministic source of choices: the same seed gives the same history on every machine. */
export interface Random {
  /** From 0 up to, not including, 1. */
  fraction(): number;
  /** A whole number from `min` to `max`, both included. */
  integer(min: number, max: number): number;
  chance(probability: number): boolean;
  pick<T>(values: readonly T[]): T;
  /** Exponentially distributed, so that gaps cluster as real traffic does. */
  gap(mean: number): number;
  /** A version 4 UUID. */
  uuid(): string;
}

/** SplitMix-style mixing of a 32-bit counter (public domain construction, mulberry32). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const fraction = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const integer = (min: number, max: number) => min + Math.floor(fraction() * (max - min + 1));
  const hex = (digits: number) =>
    integer(0, 16 ** digits - 1)
      .toString(16)
      .padStart(digits, "0");
  return {
    fraction,
    integer,
    chance: (probability) => fraction() < probability,
    pick: (values) => values[integer(0, values.length - 1)] as (typeof values)[number],
    gap: (mean) => -Math.log(1 - fraction()) * mean,
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-${"89ab"[integer(0, 3)]}${hex(3)}-${hex(8)}${hex(4)}`,
  };
}
