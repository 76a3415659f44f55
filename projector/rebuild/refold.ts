import { join } from "node:path";
import { type Decode, type Decoded, decodedOf } from "../decode/decode.ts";
import { applyDecoded, deadLetterOf } from "../projection/apply.ts";
import { finishLead } from "../projection/finish-lead.ts";
import type { FoldedBatch } from "../projection/folded-batch.ts";
import { emptyLead, type HeldLead, loadLead, NOTHING_STORED } from "../projection/held-leads.ts";
import { createLeadReader } from "../projection/lead-reader.ts";
import { NOTHING_COUNTED } from "../projection/writing.ts";
import { leadHash } from "../source/record-frames.ts";
import { type Share, takes, WHOLE } from "../source/share.ts";
import {
  type Position,
  partitionName,
  type RecordPosition,
  type Source,
  type SourceRecord,
} from "../source/source.ts";
import type { DeadLetter } from "../store/dead-letters.ts";
import type { Store } from "../store/store.ts";
import { readHistory } from "./history.ts";
import { createSlices } from "./slices.ts";

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

export interface Refolding {
  readonly beside: BesideFold;
  readonly decode: Decode;
  /** Opens the log for a second reader of some partitions. */
  readonly openLog: (share: Share) => Source;
  /** Where records are put aside while the log is read, in files without a name. */
  readonly databaseDir: string;
  /** The leads that are to be folded again. */
  readonly leadsOf: (store: Store) => ReadonlySet<string>;
  /** A partition that is read whatever is known of the leads. */
  readonly partition?: number;
  /** Aborts the reading; each lead is exchanged whole or not at all. */
  readonly signal?: AbortSignal;
}

interface LeadRecord {
  readonly record: SourceRecord;
  readonly decoded: Decoded;
}

/** A lead that is folded again, and what became of its records. */
interface Refold {
  readonly lead: HeldLead;
  readonly folded: RecordPosition[];
  readonly failed: DeadLetter[];
}

/** Leads that are exchanged between the same two commits. */
const EXCHANGED_AT_ONCE = 50;
const LEADS_A_SLICE = 1_000;
const MOST_SLICES = 64;
const SLICE_BYTES = 4 * 1024 ** 2;

/**
 * Folds some leads again from the first event on and puts the result in place of what is stored, as if every event
 * that can be folded now had never failed. The fold runs on meanwhile: what it folds of these leads is noted, so that
 * the exchanges, between two commits each, wait for nothing. Of the log only those partitions are read that the leads'
 * events came from, and of that only what is of a few leads is in memory.
 */
export async function refoldLeads(refolding: Refolding): Promise<Refolded> {
  const { beside, decode, openLog, databaseDir, leadsOf, partition, signal } = refolding;
  const since: LeadRecord[] = [];
  let leadIds: ReadonlySet<string> = new Set();
  let stop: () => void = () => undefined;
  const { positions, share } = await beside.betweenCommits((store) => {
    leadIds = leadsOf(store);
    stop = beside.tap((record) => {
      const decoded = decodedOf(decode, record);
      if (decoded && leadIds.has(decoded.leadId)) since.push({ record, decoded });
    });
    return { positions: store.positions.all(), share: shareOf(store, leadIds, partition) };
  });
  const count = Math.max(1, Math.min(MOST_SLICES, Math.ceil(leadIds.size / LEADS_A_SLICE)));
  const path = join(databaseDir, "lead_view.refold");
  const slices = createSlices({ path, count, sliceBytes: SLICE_BYTES });
  const total = { folded: 0, failed: [] as DeadLetter[], recovered: 0 };
  const left = new Set(leadIds);
  const exchange = async (refolds: readonly Refold[]) => {
    if (refolds.length === 0) return;
    const { folded, failed, recovered } = await beside.betweenCommits((store, write) =>
      exchangeLeads(store, write, refolds, sinceOf(store, since, positions)),
    );
    total.folded += folded;
    total.failed.push(...failed);
    total.recovered += recovered;
  };
  try {
    const put = (record: SourceRecord) => {
      const leadId = leadIdOf(record, decode);
      if (leadId !== undefined && leadIds.has(leadId)) slices.put(record, leadHash(Buffer.from(leadId)));
    };
    const upTo = positions.filter((position) => takes(share, position.partition));
    await readHistory(openLog(share), upTo, put, signal);
    let refolds: Refold[] = [];
    for (const records of slices.drain()) {
      for (const refold of foldAgain(records, leadIds, decode)) {
        left.delete(refold.lead.leadId);
        refolds.push(refold);
      }
      if (refolds.length < EXCHANGED_AT_ONCE) continue;
      await exchange(refolds);
      refolds = [];
      if (signal?.aborted) throw new Error("stopped; the leads that were folded again by then stay so");
    }
    await exchange([...refolds, ...[...left].map(beginAgain)]);
    return total;
  } finally {
    stop();
    slices.close();
  }
}

/**
 * The partitions that a lead's events are in: its state knows where those came from that were folded, and the dead letters
 * are known. Where that can't be said, as of several leads, all are read.
 */
function shareOf(store: Store, leadIds: ReadonlySet<string>, also: number | undefined): Share {
  const [leadId] = leadIds;
  if (leadId === undefined || leadIds.size > 1) return WHOLE;
  const parts = [...loadLead(createLeadReader(store), leadId).parts.values()];
  const only = new Set(store.deadLetters.partitionsOf(leadId));
  if (also !== undefined) only.add(also);
  for (const { partitions } of parts) {
    if (partitions === undefined) return WHOLE;
    for (const partition of partitions) only.add(partition);
  }
  return parts.length === 0 ? WHOLE : { ...WHOLE, only: [...only] };
}

/** The lead that a record is of, if it is an event: a key of another lead's makes it none. */
function leadIdOf(record: SourceRecord, decode: Decode): string | undefined {
  const { line } = record;
  if (line) return line.chunk.toString("utf8", line.keyStart, line.keyEnd);
  return record.key?.toString("utf8") ?? decodedOf(decode, record)?.leadId;
}

const beginAgain = (leadId: string): Refold => ({
  lead: emptyLead(leadId, true),
  folded: [],
  failed: [],
});

/** Folds the records of a lead, or of a few, from the first one on. */
function foldAgain(
  records: Iterable<SourceRecord>,
  leadIds: ReadonlySet<string>,
  decode: Decode,
): Iterable<Refold> {
  const refolds = new Map<string, Refold>();
  for (const record of records) {
    const decoded = decodedOf(decode, record);
    if (!decoded || !leadIds.has(decoded.leadId)) continue;
    const refold = refolds.get(decoded.leadId) ?? beginAgain(decoded.leadId);
    refolds.set(decoded.leadId, refold);
    foldInto(refold, { record, decoded });
  }
  return refolds.values();
}

function foldInto({ lead, folded, failed }: Refold, { record, decoded }: LeadRecord): void {
  try {
    applyDecoded(NOTHING_STORED, lead, decoded, record);
    folded.push(record);
  } catch (error) {
    failed.push(keptLetter(deadLetterOf(record, decoded, error)));
  }
}

/** A letter whose bytes are its own. */
const keptLetter = (letter: DeadLetter): DeadLetter => {
  const { key, value } = letter.record;
  return {
    ...letter,
    record: { ...letter.record, key: key && Buffer.from(key), value: value && Buffer.from(value) },
  };
};

/** What was folded behind some positions, each record once. */
function sinceOf(store: Store, since: readonly LeadRecord[], positions: readonly Position[]): LeadRecord[] {
  const ends = new Map(store.positions.all().map((one) => [partitionName(one), one.nextOffset]));
  const next = new Map(positions.map((one) => [partitionName(one), one.nextOffset]));
  return since.filter(({ record }) => {
    const name = partitionName(record);
    // A batch that was tried again after a failure is told again.
    if (record.offset < (next.get(name) ?? 0) || record.offset >= (ends.get(name) ?? 0)) return false;
    next.set(name, record.offset + 1);
    return true;
  });
}

function exchangeLeads(
  store: Store,
  write: WriteBatch,
  refolds: readonly Refold[],
  since: readonly LeadRecord[],
): Refolded {
  const byLead = new Map(refolds.map((refold) => [refold.lead.leadId, refold]));
  for (const { lead } of refolds) if (store.erased.has(lead.leadId)) lead.erased = "before";
  for (const one of since) {
    const refold = byLead.get(one.decoded.leadId);
    if (refold) foldInto(refold, one);
  }
  const folded = refolds.flatMap((refold) => refold.folded);
  const failed = refolds.flatMap((refold) => refold.failed);
  let recovered = 0;
  store.transaction(() => {
    for (const position of folded) if (store.deadLetters.remove(position)) recovered++;
    write({
      leads: refolds.map(({ lead }) => ({ ...finishLead(lead), dropped: 0 })),
      deadLetters: failed,
      positions: [],
      counts: NOTHING_COUNTED,
    });
  });
  return { folded: folded.length, failed, recovered };
}
