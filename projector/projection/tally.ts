import type { Decoded } from "../decode/decode.ts";
import type { Applied } from "./apply.ts";

/** What became of events of a type. */
export interface Outcome {
  /** The event's type; "tombstone" for an erase, "unknown" for a record that is no event. */
  readonly type: string;
  readonly outcome: Applied | "dead_letter";
  readonly events: number;
}

const SEPARATOR = " ";

/** Counts what becomes of events. */
export function createTally() {
  const counts = new Map<string, number>();
  const count = (type: string, outcome: Outcome["outcome"]) => {
    const name = type + SEPARATOR + outcome;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  };
  return {
    add(decoded: Decoded | undefined, outcome: Outcome["outcome"]): void {
      if (decoded === undefined) count("unknown", outcome);
      else if ("erase" in decoded) count("tombstone", outcome);
      else for (const { event } of decoded.events) count(event, outcome);
    },
    outcomes: (): Outcome[] =>
      [...counts].map(([name, events]) => {
        const [type, outcome] = name.split(SEPARATOR) as [string, Outcome["outcome"]];
        return { type, outcome, events };
      }),
  };
}
