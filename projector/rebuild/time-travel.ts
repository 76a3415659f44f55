import { applyDecoded } from "../apply.ts";
import { assembleView } from "../assemble/assemble.ts";
import type { Decode, Decoded } from "../decode/decode.ts";
import type { PendingLead } from "../pending-leads.ts";
import type { Position, Source, SourceRecord } from "../source/source.ts";
import { pendingLogReader, storedLog } from "../store/action-logs.ts";
import { decodedOf, readHistory } from "./history.ts";

/** Up to when: a time (ISO-8601, by the events' occurredAt), or the record at a position of the log. */
export type Moment =
  | { readonly time: string }
  | { readonly topic: string; readonly partition: number; readonly offset: number };

interface Told {
  readonly record: SourceRecord;
  readonly decoded: Decoded;
  readonly time: string;
}

/**
 * The view of one lead as it was, folded from that lead's events alone: its matchingLeads, which depend on other leads,
 * are empty.
 * @param upTo the positions that the history is read up to
 * @returns null where there was no view at that moment
 */
export async function viewAt(
  source: Source,
  decode: Decode,
  upTo: readonly Position[],
  leadId: string,
  moment: Moment,
): Promise<string | null> {
  const told: Told[] = [];
  const history = readHistory(source, (record) => {
    const decoded = decodedOf(decode, record);
    if (decoded?.leadId === leadId) told.push({ record, decoded, time: timeOf(record, decoded) });
  });
  try {
    await history.reached(upTo);
  } finally {
    await history.stop();
  }
  const lead: PendingLead = {
    leadId,
    erased: false,
    dropped: 0,
    owner: null,
    parts: new Map(),
    replaces: true,
  };
  for (const { decoded } of before(told, moment)) {
    try {
      applyDecoded(lead, decoded, () => undefined);
    } catch {
      // A dead letter: it was not in the view then either.
    }
  }
  const pending = lead.owner === null || lead.erased !== false ? undefined : lead.parts.get(lead.owner);
  if (!pending) return null;
  const logs = pendingLogReader([...pending.logs.values()].map(storedLog));
  return assembleView({ part: pending.part, logs, matchingLeads: [] }).body.toString("utf8");
}

const timeOf = (record: SourceRecord, decoded: Decoded): string =>
  "erase" in decoded ? new Date(record.timestamp).toISOString() : (decoded.events[0]?.occurredAt ?? "");

/** Of the moment's own partition what stands before it; of the others what occurred no later. */
function before(told: readonly Told[], moment: Moment): readonly Told[] {
  if ("time" in moment) return told.filter(({ time }) => time <= moment.time);
  const isHere = ({ record }: Told) => record.topic === moment.topic && record.partition === moment.partition;
  const here = told.filter((one) => isHere(one) && one.record.offset <= moment.offset);
  const time = here.at(-1)?.time ?? "";
  return told.filter((one) => (isHere(one) ? one.record.offset <= moment.offset : one.time <= time));
}
