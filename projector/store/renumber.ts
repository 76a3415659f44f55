import { nextTurn } from "../../shared/clock.ts";
import type { Store } from "./store.ts";

/** Views in one transaction. */
const SLICE = 1_000;

/**
 * Gives all views numbers above one, in the order of those that they have, so that no number goes back for a reader who
 * was told another database's (rule: one number). All that changed since then is not known: each section counts as
 * changed. Stopped in between, it is done again from the start, and only more is told again.
 */
export async function renumberViews(store: Store, above: number): Promise<void> {
  const below = store.db
    .prepare<[number, number], string>(
      "SELECT lead_id FROM lead_view WHERE number <= ? ORDER BY number LIMIT ?",
    )
    .pluck();
  const put = store.db.prepare<[number, string]>(
    "UPDATE lead_view SET number = ?, section_numbers = '[]' WHERE lead_id = ?",
  );
  store.transaction(() => store.numbers.raise(above));
  for (;;) {
    const leadIds = below.all(above, SLICE);
    if (leadIds.length === 0) return;
    store.transaction((next) => {
      for (const leadId of leadIds) put.run(next(), leadId);
    });
    await nextTurn();
  }
}
