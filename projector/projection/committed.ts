import type { DeadLetter } from "../store/dead-letters.ts";
import type { FoldedBatch, Written } from "./folded-batch.ts";
import type { Outcome } from "./tally.ts";

/** What one commit made durable. */
export interface Committed {
  readonly records: number;
  readonly deadLetters: readonly DeadLetter[];
  /** Records that came for erased leads. */
  readonly dropped: number;
  /** Leads that were erased. */
  readonly erased: readonly string[];
  readonly assembly: Assembly;
  /** Milliseconds of the whole commit. */
  readonly milliseconds: number;
  readonly outcomes: readonly Outcome[];
  /** When its records were produced, in milliseconds since 1970. */
  readonly timestamps: readonly number[];
}

/** How many views were written, and the milliseconds that finishing them took. */
export interface Assembly {
  readonly views: number;
  readonly milliseconds: number;
}

/** @param milliseconds of the whole commit */
export function committedOf(
  { leads, deadLetters, counts }: FoldedBatch,
  { erased, views }: Written,
  milliseconds: number,
): Committed {
  return {
    records: counts.records,
    deadLetters,
    dropped: leads.reduce((sum, { dropped }) => sum + dropped, 0),
    erased,
    assembly: { views, milliseconds: counts.milliseconds },
    milliseconds,
    outcomes: counts.outcomes,
    timestamps: counts.timestamps,
  };
}
