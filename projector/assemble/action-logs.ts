import { ActionLog as ActionLogView, Message as MessageView } from "../../shared/view/lead-view.ts";
import { actionLogShape } from "../fold/action-log.ts";
import { type Fields, render, renderAround, type Shape } from "../fold/entity.ts";
import type { LeadPart, StoredDocument } from "../fold/lead-part.ts";
import { joinMembers, type SectionWriter, writeArray } from "./body.ts";
import { namesBefore, writeDocumentFacts } from "./documents.ts";
import { type Log, logFields } from "./log-text.ts";

/** The view lists this many of the most recent logs (seed: "up to 100"). */
export const RECENT_LOGS = 100;
/** An action lists this many of its tool calls, the newest (rule: cost). */
export const MOST_TOOL_CALLS = 100;

/** Finds a lead's logs by their roles, among all of them. */
export interface ActionLogReader {
  /** The `RECENT_LOGS` most recent, newest first by createdAt, then id. */
  recent(): readonly Log[];
  lastAction(): Log | undefined;
  nextFollowUp(): Log | undefined;
  nextDraft(): Log | undefined;
  /** The `MOST_TOOL_CALLS` newest TOOL_CALL logs below any of these logs, oldest first by createdAt, then id. */
  toolCalls(parentActionIds: readonly string[]): readonly Log[];
}

const BEFORE_MESSAGES = namesBefore(Object.keys(ActionLogView.fields), "messages");
const BEFORE_DOCUMENTS = namesBefore(Object.keys(MessageView.fields), "documents");
const messageShape = actionLogShape.children.get("messages") as Shape;

export function writeActionLogs(section: SectionWriter, part: LeadPart, logs: ActionLogReader): void {
  writeArray(section, logs.recent(), (log) => writeLog(section, part, log));
}

/** The last action with its tool calls: those below it, or below the action that it came from. */
export function writeLastAction(section: SectionWriter, part: LeadPart, logs: ActionLogReader): void {
  const last = logs.lastAction();
  if (!last) {
    section.text("null");
    return;
  }
  const parent = logFields(last).parentActionId;
  const toolCalls = logs.toolCalls(
    typeof parent === "string" && parent !== last.id ? [last.id, parent] : [last.id],
  );
  writeMembers(section, part, last);
  section.text(',"toolCalls":');
  writeArray(section, toolCalls, (toolCall) => writeLog(section, part, toolCall));
  section.text("}");
}

/** One log with its messages' documents resolved, or null. */
export function writeLog(section: SectionWriter, part: LeadPart, log: Log | undefined): void {
  if (!log) {
    section.text("null");
  } else if (log.hasDocuments === 0) {
    section.text(log.text);
  } else {
    writeMembers(section, part, log);
    section.text("}");
  }
}

/** A log without its closing brace. */
function writeMembers(section: SectionWriter, part: LeadPart, log: Log): void {
  if (log.hasDocuments === 0) {
    section.text(log.text.slice(0, -1));
    return;
  }
  const { messages, ...others } = logFields(log);
  const [head, tail] = renderAround(actionLogShape, others, BEFORE_MESSAGES);
  section.text(`{${joinMembers(head, '"messages":')}`);
  writeArray(section, messages as Fields[], (message) => writeMessage(section, part, message));
  if (tail !== "") section.text(`,${tail}`);
}

function writeMessage(section: SectionWriter, part: LeadPart, message: Fields): void {
  const { documents, ...others } = message;
  if (!Array.isArray(documents)) {
    section.text(render(messageShape, message));
    return;
  }
  const [head, tail] = renderAround(messageShape, others, BEFORE_DOCUMENTS);
  section.text(`{${joinMembers(head, '"documents":')}`);
  const resolved = documents
    .map(({ id }: { readonly id: string }) => part.documents.get(id))
    .filter((document): document is StoredDocument => document !== undefined);
  writeArray(section, resolved, (document) => writeDocumentFacts(section, document, {}));
  section.text(tail === "" ? "}" : `,${tail}}`);
}
