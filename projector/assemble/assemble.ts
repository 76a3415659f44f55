import { SECTIONS } from "../../shared/view/change.ts";
import type { LeadView } from "../../shared/view/lead-view.ts";
import { type LeadPart, TOUCHED } from "../fold/lead-part.ts";
import { type ActionLogReader, writeActionLogs, writeLastAction, writeLog } from "./action-logs.ts";
import { type AssembledView, createBody, type RunWriter } from "./body.ts";
import { writeChecklist } from "./checklist.ts";
import { writeDocuments } from "./documents.ts";
import { renderLead } from "./lead.ts";
import { leadStatus } from "./status.ts";

interface Assembling {
  readonly part: LeadPart;
  readonly logs: ActionLogReader;
  readonly status: string;
}

type Section = keyof typeof LeadView.fields;

interface SectionRule {
  /** Of TOUCHED: what the section is made of. What touches nothing of it leaves it as it was. */
  readonly of: number;
  readonly write: (section: RunWriter, state: Assembling) => void;
}

/** A log shows its messages' documents. */
const LOGS = TOUCHED.logs | TOUCHED.documents;

/**
 * How each section of the view is written. Its schema, and the response's order, stand in shared/view/lead-view.ts: a
 * further section is one entry there and one here. What crosses leads stands empty here (rule: matching leads).
 */
const RULES: { readonly [S in Section]: SectionRule } = {
  lead: { of: TOUCHED.record, write: (section, { part }) => section.text(renderLead(part)) },
  status: {
    of: TOUCHED.record | TOUCHED.checklist,
    write: (section, { status }) => section.text(`"${status}"`),
  },
  checklistItems: {
    of: TOUCHED.checklist | TOUCHED.documents,
    write: (section, { part }) => writeChecklist(section, part),
  },
  documents: {
    // A link is shown where its item exists.
    of: TOUCHED.checklist | TOUCHED.documents,
    write: (section, { part }) => writeDocuments(section, part),
  },
  actionLogs: { of: LOGS, write: (section, { part, logs }) => writeActionLogs(section, part, logs) },
  matchingLeads: { of: 0, write: (section) => section.text("[]") },
  lastAction: { of: LOGS, write: (section, { part, logs }) => writeLastAction(section, part, logs) },
  nextFollowUp: {
    of: LOGS,
    write: (section, { part, logs }) => writeLog(section, part, logs.nextFollowUp()),
  },
  nextDraft: { of: LOGS, write: (section, { part, logs }) => writeLog(section, part, logs.nextDraft()) },
};

const SECTION_RULES = SECTIONS.map((name, index) => ({
  opening: `${index === 0 ? "{" : ","}"${name}":`,
  ...RULES[name],
}));

/**
 * The response of GET /api/v1/leads/:id for one created lead, but for its matching leads (rule: same events, same bytes).
 * @param before the view before what touched the part since; undefined = all of it is made anew
 */
export function assembleView(part: LeadPart, logs: ActionLogReader, before?: AssembledView): AssembledView {
  const body = createBody();
  const status = leadStatus(part);
  const assembling: Assembling = { part, logs, status };
  for (const { opening, of, write } of SECTION_RULES) {
    if (before && (of & part.touched) === 0) {
      body.keep(before);
      continue;
    }
    body.section((section) => {
      section.text(opening);
      write(section, assembling);
    });
  }
  return { ...body.finish(), status };
}
