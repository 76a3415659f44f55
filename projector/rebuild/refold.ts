import { type Decode, type Decoded, decodedOf } from "../decode/decode.ts";
import { applyDecoded, deadLetterOf } from "../projection/apply.ts";
import { finishLead } from "../projection/finish-lead.ts";
import type { FoldedBatch } from "../projection/folded-batch.ts";
import { emptyLead, NOTHING_STORED } from "../projection/held-leads.ts";
import { NOTHING_COUNTED } from "../projection/writing.ts";
import { type Position, partitionName, type Source, type SourceRecord } from "../source/source.ts";
import type { DeadLetter } from "../store/dead-letters.ts";
import type { Store } from "../store/store.ts";
import { readHistory } from "./history.ts";

export interface Refolded {
  /** Records of these leads that were folded. */
  readonly folded: number;
  /** Records of these leads that can't be folded; they stay dead letters. */
  readonly failed: readonly DeadLetter[];
  /** Dead letters that were folded now, and are gone. */
  readonly recovered: number;
}

/** Stores leads that were folded beside the running fold, which takes what it holds of them for stale from then on. */
export type WriteBatch = (batch: FoldedBatch) => void;

/** What the running fold offers to whoever folds leads again beside it. */
export interface BesideFold {
  /** Does the work between two commits, with nothing pending. */
  betweenCommits<T>(work: (store: Store, write: WriteBatch) => T): Promise<T>;
  /** Tells of every record that is folded from now on, until it is stopped. */
  tap(onRecord: (record: SourceRecord) => void): () => void;
}

interface LeadRecord {
  readonly record: SourceRecord;
  readonly decoded: Decoded;
}

/**
 * Folds some leads again from the first event on and puts the result in place of what is stored, as if every event
 * that can be folded now had never failed. The fold runs on meanwhile: what it folds of these leads is noted, so that
 * the exchange, between two commits, waits for nothing.
 * @param leadsOf the leads that are to be folded again
 * @param signal aborts the reading; the exchange at its end is whole or not at all
 */
export async function refoldLeads(
  beside: BesideFold,
  source: Source,
  decode: Decode,
  leadsOf: (store: Store) => ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<Refolded> {
  const earlier: LeadRecord[] = [];
  const since: LeadRecord[] = [];
  let leadIds: ReadonlySet<string> = new Set();
  const noteIn = (list: LeadRecord[]) => (record: SourceRecord) => {
    const decoded = decodedOf(decode, record);
    if (decoded && leadIds.has(decoded.leadId)) list.push({ record, decoded });
  };
  let stop: () => void = () => undefined;
  const positions = await beside.betweenCommits((store): Position[] => {
    leadIds = leadsOf(store);
    stop = beside.tap(noteIn(since));
    return store.positions.all();
  });
  try {
    await readHistory(source, positions, noteIn(earlier), signal);
    return await beside.betweenCommits((store, write) => {
      const ends = new Map(store.positions.all().map((one) => [partitionName(one), one.nextOffset]));
      const starts = new Map(positions.map((one) => [partitionName(one), one.nextOffset]));
      const isFolded = ({ record }: LeadRecord) =>
        record.offset < (ends.get(partitionName(record)) ?? 0) &&
        record.offset >= (starts.get(partitionName(record)) ?? 0);
      return exchange(store, write, leadIds, [...earlier, ...distinct(since.filter(isFolded))]);
    });
  } finally {
    stop();
  }
}

/** A batch that was tried again after a failure is told again. */
function distinct(records: readonly LeadRecord[]): LeadRecord[] {
  const last = new Map<string, number>();
  return records.filter(({ record }) => {
    const name = partitionName(record);
    if (record.offset <= (last.get(name) ?? -1)) return false;
    last.set(name, record.offset);
    return true;
  });
}

function exchange(
  store: Store,
  write: WriteBatch,
  leadIds: ReadonlySet<string>,
  records: readonly LeadRecord[],
): Refolded {
  const leads = new Map([...leadIds].map((leadId) => [leadId, emptyLead(leadId, true)]));
  for (const lead of leads.values()) if (store.erased.has(lead.leadId)) lead.erased = "before";
  const failed: DeadLetter[] = [];
  const folded: SourceRecord[] = [];
  for (const { record, decoded } of records) {
    const lead = leads.get(decoded.leadId);
    if (!lead) continue;
    try {
      applyDecoded(NOTHING_STORED, lead, decoded);
      folded.push(record);
    } catch (error) {
      failed.push(deadLetterOf(record, decoded, error));
    }
  }
  let recovered = 0;
  store.transaction(() => {
    for (const record of folded) if (store.deadLetters.remove(record)) recovered++;
    write({
      leads: [...leads.values()].map((lead) => ({ ...finishLead(lead), dropped: 0 })),
      deadLetters: failed,
      positions: [],
      counts: NOTHING_COUNTED,
    });
  });
  return { folded: folded.length, failed, recovered };
}
