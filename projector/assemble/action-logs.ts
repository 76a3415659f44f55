import { parseJson } from "../../shared/events/exact-json.ts";
import { ActionLog as ActionLogView, Message as MessageView } from "../../shared/view/lead-view.ts";
import { type ActionLog, actionLogShape } from "../fold/action-log.ts";
import { type Fields, render, renderAround, type Shape } from "../fold/entity.ts";
import type { LeadPart, StoredDocument } from "../fold/lead-part.ts";
import { type BodyBuilder, joinMembers, writeArray } from "./body.ts";
import { namesBefore, writeDocumentFacts } from "./documents.ts";

/** The view lists this many of the most recent logs (seed: "up to 100"). */
export const RECENT_LOGS = 100;
/** An action lists this many of its tool calls, the newest (rule: cost). */
export const MOST_TOOL_CALLS = 100;

/** A stored log: its finished JSON text, and whether its messages name documents that are still to be resolved. */
export interface RenderedLog {
  readonly id: string;
  readonly text: string;
  readonly hasDocuments: 0 | 1;
}

/** Finds a lead's logs by their roles, among all of them. */
export interface ActionLogReader {
  /** The `RECENT_LOGS` most recent, newest first by createdAt, then id. */
  recent(): readonly RenderedLog[];
  lastAction(): RenderedLog | undefined;
  nextFollowUp(): RenderedLog | undefined;
  nextDraft(): RenderedLog | undefined;
  /** The `MOST_TOOL_CALLS` newest TOOL_CALL logs below any of these logs, oldest first by createdAt, then id. */
  toolCalls(parentActionIds: readonly string[]): readonly RenderedLog[];
}

const BEFORE_MESSAGES = namesBefore(Object.keys(ActionLogView.fields), "messages");
const BEFORE_DOCUMENTS = namesBefore(Object.keys(MessageView.fields), "documents");
const messageShape = actionLogShape.children.get("messages") as Shape;

export const renderLog = (log: ActionLog): RenderedLog => ({
  id: log.id,
  text: render(actionLogShape, log),
  hasDocuments: messagesOf(log).some(({ documents }) => Array.isArray(documents) && documents.length > 0)
    ? 1
    : 0,
});

export function writeActionLogs(body: BodyBuilder, part: LeadPart, logs: ActionLogReader): void {
  writeArray(body, logs.recent(), (log) => writeLog(body, part, log));
}

/** The last action with its tool calls: those below it, or below the action that it came from. */
export function writeLastAction(body: BodyBuilder, part: LeadPart, logs: ActionLogReader): void {
  const last = logs.lastAction();
  if (!last) {
    body.text("null");
    return;
  }
  const log = parseJson(last.text) as ActionLog;
  const parent = log.parentActionId;
  const toolCalls = logs.toolCalls(
    typeof parent === "string" && parent !== log.id ? [log.id, parent] : [log.id],
  );
  writeMembers(body, part, log);
  body.text(',"toolCalls":');
  writeArray(body, toolCalls, (toolCall) => writeLog(body, part, toolCall));
  body.text("}");
}

/** One log with its messages' documents resolved, or null. */
export function writeLog(body: BodyBuilder, part: LeadPart, log: RenderedLog | undefined): void {
  if (log?.hasDocuments !== 1) {
    body.text(log?.text ?? "null");
    return;
  }
  writeMembers(body, part, parseJson(log.text) as ActionLog);
  body.text("}");
}

/** A log without its closing brace. */
function writeMembers(body: BodyBuilder, part: LeadPart, log: ActionLog): void {
  const messages = log.messages;
  if (!Array.isArray(messages)) {
    body.text(render(actionLogShape, log).slice(0, -1));
    return;
  }
  const { messages: _, ...others } = log;
  const [head, tail] = renderAround(actionLogShape, others, BEFORE_MESSAGES);
  body.text(`{${joinMembers(head, '"messages":')}`);
  writeArray(body, messages as Fields[], (message) => writeMessage(body, part, message));
  if (tail !== "") body.text(`,${tail}`);
}

function writeMessage(body: BodyBuilder, part: LeadPart, message: Fields): void {
  const { documents, ...others } = message;
  if (!Array.isArray(documents)) {
    body.text(render(messageShape, message));
    return;
  }
  const [head, tail] = renderAround(messageShape, others, BEFORE_DOCUMENTS);
  body.text(`{${joinMembers(head, '"documents":')}`);
  const resolved = documents
    .map(({ id }: { readonly id: string }) => part.documents.get(id))
    .filter((document): document is StoredDocument => document !== undefined);
  writeArray(body, resolved, (document) => writeDocumentFacts(body, document, {}));
  body.text(tail === "" ? "}" : `,${tail}}`);
}

function messagesOf(log: Fields): readonly Fields[] {
  return Array.isArray(log.messages) ? log.messages : [];
}
