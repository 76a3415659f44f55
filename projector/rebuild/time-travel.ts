import type { Decode } from "../decode/decode.ts";
import type { Position, Source } from "../source/source.ts";
import { createLeadFold, type HistoryRecord, leadHistory } from "./lead-history.ts";

/** Up to when: a time (ISO-8601, by the events' occurredAt), or the record at a position of the log. */
export type Moment =
  | { readonly time: string }
  | { readonly topic: string; readonly partition: number; readonly offset: number };

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
  const records = await leadHistory(source, decode, upTo, leadId);
  const fold = createLeadFold(leadId);
  for (const record of before(records, moment)) fold.apply(record);
  return fold.view();
}

/** Of the moment's own partition what stands before it; of the others what occurred no later. */
function before(records: readonly HistoryRecord[], moment: Moment): readonly HistoryRecord[] {
  if ("time" in moment) return records.filter(({ time }) => time <= moment.time);
  const isHere = ({ record }: HistoryRecord) =>
    record.topic === moment.topic && record.partition === moment.partition;
  const here = records.filter((one) => isHere(one) && one.record.offset <= moment.offset);
  const time = here.at(-1)?.time ?? "";
  return records.filter((one) => (isHere(one) ? one.record.offset <= moment.offset : one.time <= time));
}
