import { assembleView } from "../assemble/assemble.ts";
import type { AssembledView } from "../assemble/body.ts";
import { identityOf } from "../fold/identity.ts";
import { TOUCHED } from "../fold/lead-part.ts";
import type { FoldedLead, FoldedPart, FoldedView, OlderLog } from "./folded-batch.ts";
import { type HeldLead, type HeldPart, measure } from "./held-leads.ts";
import { encodePieces } from "./pieces.ts";
import { letLeave, logReader, noteOlder } from "./recent-logs.ts";

/**
 * Finishes what was folded into a lead since the last batch, for the next one.
 * @throws SqliteError where older logs can't be read; the lead is as before then
 */
export function finishLead(lead: HeldLead): FoldedLead {
  const { leadId, dropped, replaces, left, owner, traceparent } = lead;
  const said = { leadId, dropped, replaces, left, owner, traceparent };
  if (lead.erased !== false) {
    const erased = lead.erased === "now";
    lead.erased = "before";
    lead.parts.clear();
    settle(lead);
    return { ...said, erased, parts: [], identity: undefined, view: undefined };
  }
  const shown = owner === null ? undefined : lead.parts.get(owner);
  const touched = shown && (shown.part.touched !== 0 || lead.isOwnerNew || replaces) ? shown : undefined;
  const view = touched && finishView(touched);
  const isNewToMatch = lead.isOwnerNew || replaces || ((shown?.part.touched ?? 0) & TOUCHED.record) !== 0;
  const identity = shown && isNewToMatch ? (identityOf(shown.part) ?? undefined) : undefined;
  const parts: FoldedPart[] = [];
  for (const [workspaceId, held] of lead.parts)
    if (held.changed || replaces) parts.push(finishPart(workspaceId, held));
  settle(lead);
  return { ...said, erased: false, parts, identity, view };
}

/** Nothing of it waits any more. */
function settle(lead: HeldLead): void {
  lead.dropped = 0;
  lead.traceparent = null;
  lead.isOwnerNew = false;
  lead.replaces = false;
  if (lead.left.length > 0) lead.left = [];
  lead.changed = false;
  measure(lead);
}

/** @returns undefined where the view is as it was handed over before */
function finishView(held: HeldPart): FoldedView | undefined {
  const before = held.view;
  const view = assembleView(held.part, logReader(held.logs, held.older), before);
  if (before && sameHashes(before, view)) return undefined;
  held.view = view;
  return { ...view, sectionHashes: view.sectionHashes.join("") };
}

const sameHashes = (a: AssembledView, b: AssembledView): boolean =>
  a.sectionHashes.every((hash, index) => hash === b.sectionHashes[index]);

function finishPart(workspaceId: string, held: HeldPart): FoldedPart {
  const isNew = !held.isStored;
  const olderLogs = (held.part.touched & TOUCHED.logs) === 0 ? [] : takeOlder(held);
  const pieces = encodePieces(held);
  held.part.touched = 0;
  held.changed = false;
  held.isStored = true;
  return { workspaceId, isNew, pieces, olderLogs };
}

/** The logs that become rows of their own, and those that are some and changed. */
function takeOlder({ part, logs }: HeldPart): OlderLog[] {
  letLeave(logs);
  const rows: OlderLog[] = [];
  for (const log of logs.sorted) {
    if (log.isOlder ? !log.changed : !log.leaving) continue;
    if (!log.isOlder) part.changedPieces.add(log.piece);
    log.changed = false;
    noteOlder(logs, log);
    const { id, createdAt, role, order, hasDocuments } = log;
    rows.push({ id, createdAt, role, order, hasDocuments, text: log.text });
  }
  return rows;
}
