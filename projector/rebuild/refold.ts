import type { Decode, Decoded } from "../decode/decode.ts";
import { applyDecoded, deadLetterOf } from "../projection/apply.ts";
import { commitPending } from "../projection/commit.ts";
import { type PendingLead, refoldedLead } from "../projection/pending-leads.ts";
import { partitionName, type Source, type SourceRecord } from "../source/source.ts";
import type { DeadLetter } from "../store/dead-letters.ts";
import type { Store } from "../store/store.ts";
import { decodedOf, readHistory } from "./history.ts";

export interface Refolded {
  /** Records of these leads that were folded. */
  readonly folded: number;
  /** Records of these leads that can't be folded; they stay dead letters. */
  readonly failed: readonly DeadLetter[];
  /** Dead letters that were folded now, and are gone. */
  readonly recovered: number;
}

/**
 * Folds some leads again from the first event on and puts the result in place of what is stored, as if every event
 * that can be folded now had never failed (design.md section 4). The projector may run on: its commits wait for the
 * moment of the exchange.
 */
export async function refoldLeads(
  store: Store,
  source: Source,
  decode: Decode,
  leadIds: ReadonlySet<string>,
): Promise<Refolded> {
  const records: { readonly record: SourceRecord; readonly decoded: Decoded }[] = [];
  const history = readHistory(source, (record) => {
    const decoded = decodedOf(decode, record);
    if (decoded && leadIds.has(decoded.leadId)) records.push({ record, decoded });
  });
  try {
    await history.reached(store.positions.all());
    let refolded: Refolded = { folded: 0, failed: [], recovered: 0 };
    await store.transactionAsync(async () => {
      // What the projector committed while the history was read; the lock holds it here now.
      const positions = store.positions.all();
      await history.reached(positions);
      const next = new Map(positions.map((position) => [partitionName(position), position.nextOffset]));
      const folded = records.filter(({ record }) => record.offset < (next.get(partitionName(record)) ?? 0));
      refolded = exchange(store, leadIds, folded);
    });
    return refolded;
  } finally {
    await history.stop();
  }
}

function exchange(
  store: Store,
  leadIds: ReadonlySet<string>,
  records: readonly { readonly record: SourceRecord; readonly decoded: Decoded }[],
): Refolded {
  const leads = new Map<string, PendingLead>(
    [...leadIds].map((leadId) => [leadId, refoldedLead(store, leadId)]),
  );
  const failed: DeadLetter[] = [];
  let recovered = 0;
  for (const { record, decoded } of records) {
    try {
      applyDecoded(leads.get(decoded.leadId) as PendingLead, decoded, () => undefined);
      for (const { id } of store.deadLetters.at(record)) recovered += store.deadLetters.remove(id) ? 1 : 0;
    } catch (error) {
      failed.push(deadLetterOf(record, decoded, error));
    }
  }
  const dropped = [...leads.values()].map((lead) => ({ ...lead, dropped: 0 }));
  const unknown = failed.filter(({ record }) => store.deadLetters.at(record).length === 0);
  const turn = store.positions.turn();
  commitPending(store, {
    turn,
    assemble: true,
    leads: dropped,
    deadLetters: unknown,
    failedAt: new Date(),
    positions: [],
  });
  return { folded: records.length - failed.length, failed, recovered };
}
