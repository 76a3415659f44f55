import { SECTIONS } from "../../shared/view/change.ts";
import type { LeadView } from "../../shared/view/lead-view.ts";
import type { LeadPart } from "../fold/lead-part.ts";
import { type ActionLogReader, writeActionLogs, writeLastAction, writeLog } from "./action-logs.ts";
import { type AssembledView, type BodyBuilder, createBody } from "./body.ts";
import { writeChecklist } from "./checklist.ts";
import { writeDocuments } from "./documents.ts";
import { renderLead } from "./lead.ts";
import { type ResolvedLinks, resolveLinks } from "./links.ts";
import { type MatchingLead, renderMatchingLeads } from "./matching-leads.ts";
import { leadStatus } from "./status.ts";

/** What a view is made of. */
export interface ViewState {
  readonly part: LeadPart;
  readonly logs: ActionLogReader;
  readonly matchingLeads: readonly MatchingLead[];
}

interface Assembling extends ViewState {
  readonly links: ResolvedLinks;
  readonly status: string;
}

type Section = keyof typeof LeadView.fields;

/**
 * How each section of the view is written. Its schema, and the response's order, stand in shared/view/lead-view.ts: a
 * further section is one entry there and one here.
 */
const WRITERS: { readonly [S in Section]: (body: BodyBuilder, state: Assembling) => void } = {
  lead: (body, { part }) => body.text(renderLead(part)),
  status: (body, { status }) => body.text(`"${status}"`),
  checklistItems: (body, { part, links }) => writeChecklist(body, part, links),
  documents: (body, { part, links }) => writeDocuments(body, part, links),
  actionLogs: (body, { part, logs }) => writeActionLogs(body, part, logs),
  matchingLeads: (body, { part, matchingLeads }) => body.text(renderMatchingLeads(part, matchingLeads)),
  lastAction: (body, { part, logs }) => writeLastAction(body, part, logs),
  nextFollowUp: (body, { part, logs }) => writeLog(body, part, logs.nextFollowUp()),
  nextDraft: (body, { part, logs }) => writeLog(body, part, logs.nextDraft()),
};

const SECTION_WRITERS = SECTIONS.map((name, index) => ({
  opening: `${index === 0 ? "{" : ","}"${name}":`,
  write: WRITERS[name],
}));

/** The response of GET /api/v1/leads/:id for one created lead (rule: same events, same bytes). */
export function assembleView(state: ViewState): AssembledView {
  const body = createBody();
  const status = leadStatus(state.part);
  const assembling: Assembling = { ...state, links: resolveLinks(state.part), status };
  for (const { opening, write } of SECTION_WRITERS) {
    body.text(opening);
    write(body, assembling);
    body.endSection();
  }
  body.text("}");
  return { ...body.finish(), status };
}
