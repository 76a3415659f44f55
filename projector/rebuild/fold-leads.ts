import { assembleView } from "../assemble/assemble.ts";
import type { Decode, Decoded } from "../decode/decode.ts";
import { identityOf } from "../fold/identity.ts";
import { encodePart } from "../fold/lead-part.ts";
import { encodeSeen } from "../fold/seen-events.ts";
import { applyDecoded, deadLetterOf } from "../projection/apply.ts";
import type { FoldedBatch, FoldedLead } from "../projection/folded-batch.ts";
import { logRowOf, pendingLogReader } from "../projection/log-reader.ts";
import { emptyLead, type PendingLead } from "../projection/pending-leads.ts";
import type { SourceRecord } from "../source/source.ts";
import type { DeadLetter } from "../store/dead-letters.ts";

/** Folds whole leads from all of their records, in memory. */
export function foldLeads(records: Iterable<SourceRecord>, decode: Decode): FoldedBatch {
  const leads = new Map<string, PendingLead>();
  const deadLetters: DeadLetter[] = [];
  let folded = 0;
  for (const record of records) {
    folded++;
    let decoded: Decoded | undefined;
    try {
      decoded = decode(record);
      const lead = leads.get(decoded.leadId) ?? emptyLead(decoded.leadId);
      leads.set(decoded.leadId, lead);
      applyDecoded(lead, decoded, () => undefined);
    } catch (error) {
      deadLetters.push(deadLetterOf(record, decoded, error));
    }
  }
  const counts = { records: folded, outcomes: [], timestamps: [], views: 0, milliseconds: 0 };
  return { leads: [...leads.values()].map(finished), deadLetters, positions: [], counts };
}

function finished(lead: PendingLead): FoldedLead {
  const { leadId, owner, dropped } = lead;
  const facts = { leadId, dropped, replaces: false, owner, traceparent: null };
  if (lead.erased !== false)
    return { ...facts, erased: true, parts: [], identity: undefined, view: undefined };
  const owned = owner === null ? undefined : lead.parts.get(owner);
  const identity = owned ? identityOf(owned.part) : null;
  const parts = [...lead.parts.values()].map((pending) => ({
    workspaceId: pending.part.workspaceId,
    isNew: true,
    pieces: [
      { piece: 0, content: encodePart(pending.part) },
      { piece: 1, content: encodeSeen(pending.seen)?.toString("latin1") ?? null },
    ],
    olderLogs: [...pending.logs.values()].map(logRowOf),
    recentAgain: [],
  }));
  if (!owned || !identity) return { ...facts, erased: false, parts, identity: undefined, view: undefined };
  const own = parts.find(({ workspaceId }) => workspaceId === owner);
  const logs = pendingLogReader(own?.olderLogs ?? []);
  const view = { ...assembleView({ part: owned.part, logs, matchingLeads: [] }), sectionHashes: "" };
  return { ...facts, erased: false, parts, identity, view };
}
