import { Lead } from "../../shared/view/lead-view.ts";
import type { LeadPart } from "../fold/lead-part.ts";

const NAMES = Object.keys(Lead.fields);
const BOOLEANS: ReadonlySet<string> = new Set(["didOptOut", "isTest"]);

/** The lead object: always the seed's 21 fields; one never given is null, a boolean false. */
export function renderLead({ leadId, workspaceId, record }: LeadPart): string {
  const lead: Record<string, unknown> = {};
  for (const name of NAMES) lead[name] = record[name] ?? (BOOLEANS.has(name) ? false : null);
  lead.id = leadId;
  lead.workspaceId = workspaceId;
  return JSON.stringify(lead);
}
