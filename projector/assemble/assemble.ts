import type { LeadPart } from "../fold/lead-part.ts";
import { type ActionLogReader, writeActionLogs, writeLastAction, writeLog } from "./action-logs.ts";
import { type AssembledView, createBody } from "./body.ts";
import { writeChecklist } from "./checklist.ts";
import { writeDocuments } from "./documents.ts";
import { renderLead } from "./lead.ts";
import { resolveLinks } from "./links.ts";
import { type MatchingLead, renderMatchingLeads } from "./matching-leads.ts";
import { leadStatus } from "./status.ts";

/** What a view is made of. */
export interface ViewState {
  readonly part: LeadPart;
  readonly logs: ActionLogReader;
  readonly matchingLeads: readonly MatchingLead[];
}

/** The response of GET /api/v1/leads/:id for one created lead (seed; design.md section 6). Same state, same bytes. */
export function assembleView({ part, logs, matchingLeads }: ViewState): AssembledView {
  const body = createBody();
  const links = resolveLinks(part);
  const status = leadStatus(part);
  const section = (name: string, write: () => void) => {
    body.text(`,"${name}":`);
    write();
    body.endSection();
  };
  body.text(`{"lead":${renderLead(part)}`);
  body.endSection();
  section("status", () => body.text(`"${status}"`));
  section("checklistItems", () => writeChecklist(body, part, links));
  section("documents", () => writeDocuments(body, part, links));
  section("actionLogs", () => writeActionLogs(body, part, logs));
  section("matchingLeads", () => body.text(renderMatchingLeads(part, matchingLeads)));
  section("lastAction", () => writeLastAction(body, part, logs));
  section("nextFollowUp", () => writeLog(body, part, logs.nextFollowUp()));
  section("nextDraft", () => writeLog(body, part, logs.nextDraft()));
  body.text("}");
  return { ...body.finish(), status };
}
