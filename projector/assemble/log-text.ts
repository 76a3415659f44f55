import { parseJson } from "../../shared/events/exact-json.ts";
import { type ActionLog, actionLogShape } from "../fold/action-log.ts";
import { type Fields, render } from "../fold/entity.ts";
import { roleOf } from "./log-role.ts";

/** What a log is found by. */
export interface LogPlace {
  readonly id: string;
  /** Empty where the log has none, so that it stands below every time. */
  readonly createdAt: string;
  readonly role: string | null;
  /** Orders the logs of a role, before their ids do. */
  readonly order: string | null;
  /** 1 where its messages name documents that are still to be resolved. */
  readonly hasDocuments: 0 | 1;
}

/** An action log as JSON text, with its messages' documents as the events named them. */
export interface Log extends LogPlace {
  text: string;
  /** What the text says; undefined = nobody asked yet. */
  fields: ActionLog | undefined;
}

export function logFields(log: Log): ActionLog {
  log.fields ??= parseJson(log.text) as ActionLog;
  return log.fields;
}

export const renderLog = (log: ActionLog): string => render(actionLogShape, log);

export function placeOf(log: ActionLog): LogPlace {
  const role = roleOf(log);
  return {
    id: log.id,
    createdAt: typeof log.createdAt === "string" ? log.createdAt : "",
    role: role?.role ?? null,
    order: role?.order ?? null,
    hasDocuments: hasDocuments(log) ? 1 : 0,
  };
}

const hasDocuments = ({ messages }: Fields): boolean =>
  Array.isArray(messages) &&
  messages.some(({ documents }) => Array.isArray(documents) && documents.length > 0);
