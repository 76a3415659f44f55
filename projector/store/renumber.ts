import { nextTurn } from "../../shared/clock.ts";
import type { Logger } from "../../shared/log.ts";
import { durably } from "./durably.ts";
import type { Store } from "./store.ts";
import { untilPassed } from "./until-passed.ts";

/** Views in one transaction. */
const SLICE = 1_000;

/**
 * Gives all views numbers above one, in the order of those that they have, so that no number goes back for a reader who
 * was told another database's (rule: one number). All that changed since then is not known: each section counts as
 * changed. Trouble that can pass is waited for. Stopped in between, it is done again from the start, and only more is told
 * again.
 * @returns false where the signal aborts before it is done
 */
export async function renumberViews(
  store: Store,
  above: number,
  until: { readonly log: Logger; readonly signal: AbortSignal },
): Promise<boolean> {
  // What others are told of next, as that these views are the shard's now, a power cut does not take back.
  const lastingly = <T>(work: () => T) =>
    untilPassed("the view database", () => durably(store.db, work), until);
  const below = store.db
    .prepare<[number, number], string>(
      "SELECT lead_id FROM lead_view WHERE number <= ? ORDER BY number LIMIT ?",
    )
    .pluck();
  const put = store.db.prepare<[number, string]>(
    "UPDATE lead_view SET number = ?, section_numbers = '[]' WHERE lead_id = ?",
  );
  const raise = () => {
    store.transaction(() => store.numbers.raise(above));
    return 1;
  };
  const renumberSome = (): number => {
    const leadIds = below.all(above, SLICE);
    store.transaction((next) => {
      for (const leadId of leadIds) put.run(next(), leadId);
    });
    return leadIds.length;
  };
  for (let done = await lastingly(raise); done !== 0; done = await lastingly(renumberSome)) {
    if (done === undefined) return false;
    await nextTurn();
  }
  return true;
}
