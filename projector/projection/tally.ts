import type { Decoded } from "../decode/decode.ts";
import type { Applied } from "./apply.ts";

/** What became of events of a type. */
export interface Outcome {
  /** The event's type; "tombstone" for an erase, "unknown" for a record that is no event. */
  readonly type: string;
  readonly outcome: Applied | "dead_letter";
  readonly events: number;
}

/** Counts what becomes of events. */
export function createTally() {
  const counts = new Map<Outcome["outcome"], Map<string, number>>();
  const count = (type: string, outcome: Outcome["outcome"]) => {
    let types = counts.get(outcome);
    if (!types) {
      types = new Map();
      counts.set(outcome, types);
    }
    types.set(type, (types.get(type) ?? 0) + 1);
  };
  return {
    add(decoded: Decoded | undefined, outcome: Outcome["outcome"]): void {
      if (decoded === undefined) count("unknown", outcome);
      else if ("erase" in decoded) count("tombstone", outcome);
      else for (const { event } of decoded.events) count(event, outcome);
    },
    outcomes: (): Outcome[] =>
      [...counts].flatMap(([outcome, types]) =>
        [...types].map(([type, events]) => ({ type, outcome, events })),
      ),
  };
}
