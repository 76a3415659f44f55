// The rules of the view as a small in-memory model: no database, no batches, no increments. It keeps each lead's state
// as plain objects and computes a view from nothing whenever it is asked. It shares no code with the projector.
import { fold, type Json, newPart, type Part } from "./fold.ts";
import { view } from "./view.ts";

export interface OracleRecord {
  readonly leadId: string;
  /** Null erases. */
  readonly event: Json | null;
}

interface OracleLead {
  owner: string | null;
  parts: Record<string, Part>;
}

/** Folds a whole history and returns every view as JSON text by lead id, URLs as empty strings. */
export const oracleViews = (history: readonly OracleRecord[]): Record<string, string> =>
  oracleOutcome(history).views;

export interface OracleOutcome {
  readonly views: Record<string, string>;
  /** The workspace that each view is of. */
  readonly workspaces: Record<string, string>;
  /** Where in the history an event stands that speaks of what is not there. */
  readonly refused: readonly number[];
  readonly erased: readonly string[];
}

/** The same, with what became of each record. */
export function oracleOutcome(history: readonly OracleRecord[]): OracleOutcome {
  const leads: Record<string, OracleLead | "erased"> = {};
  const refused: number[] = [];
  for (const [index, { leadId, event }] of history.entries()) {
    if (event === null) leads[leadId] = "erased";
    leads[leadId] ??= { owner: null, parts: {} };
    const lead = leads[leadId];
    if (lead === "erased" || event === null) continue;
    lead.parts[event.workspaceId] ??= newPart();
    const part = lead.parts[event.workspaceId] as Part;
    const topic = /^[a-z]+/.exec(event.event)?.[0] as string;
    const seen = part.seen[topic] ?? [];
    if (!seen.includes(event.id) && !fold(part, event)) {
      refused.push(index);
      continue;
    }
    part.seen[topic] = [...seen.filter((id) => id !== event.id), event.id].slice(-128);
    if (part.created !== null) lead.owner ??= event.workspaceId;
  }
  const shown = Object.entries(leads).flatMap(([id, lead]) =>
    lead === "erased" || lead.owner === null
      ? []
      : [{ id, workspaceId: lead.owner, part: lead.parts[lead.owner] as Part }],
  );
  return {
    views: Object.fromEntries(shown.map((lead) => [lead.id, JSON.stringify(view(lead, shown))])),
    workspaces: Object.fromEntries(shown.map((lead) => [lead.id, lead.workspaceId])),
    refused,
    erased: Object.keys(leads).filter((id) => leads[id] === "erased"),
  };
}
