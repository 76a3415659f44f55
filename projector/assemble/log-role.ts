import { isObject } from "../../shared/events/exact-json.ts";
import type { ActionLog } from "../fold/action-log.ts";

/**
 * What a log can be in a view beside one of the most recent, and its place among the candidates: the index that
 * finds the one without reading the others (rule: cost). No log can be two of them.
 */
export interface LogRole {
  /** "last_action", "follow_up", "draft", or "tool:" and the parent action's id. */
  readonly role: string;
  /** Compared as text, then by id. */
  readonly order: string;
}

/** Stands for a time that was not given: below, and above, every time. */
const NO_TIME_FIRST = " ";
const NO_TIME_LAST = "~";

/** What makes a log one of the view's: lastAction, nextFollowUp, nextDraft and toolCalls. */
export function roleOf(log: ActionLog): LogRole | null {
  const { type, status, createdAt, completedAt, scheduledAt, parentActionId } = log;
  if (type === "TOOL_CALL") {
    if (typeof parentActionId !== "string") return null;
    return { role: toolRole(parentActionId), order: timeOr(createdAt, NO_TIME_LAST) };
  }
  if (type !== "MESSAGE" && type !== "FOLLOW_UP_MESSAGE") return null;
  switch (status) {
    case "COMPLETED":
      if (!isOutbound(log)) return null;
      return {
        role: "last_action",
        order: timeOr(completedAt, NO_TIME_FIRST) + timeOr(createdAt, NO_TIME_FIRST),
      };
    case "PENDING":
      return type === "FOLLOW_UP_MESSAGE"
        ? { role: "follow_up", order: timeOr(scheduledAt, NO_TIME_LAST) }
        : null;
    case "AWAITING_APPROVAL":
      return { role: "draft", order: timeOr(createdAt, NO_TIME_LAST) };
    default:
      return null;
  }
}

export const toolRole = (parentActionId: string): string => `tool:${parentActionId}`;

/** A follow-up is outbound by nature (rule: cost); a message says so itself or in any of its messages. */
function isOutbound({ type, input, messages }: ActionLog): boolean {
  if (type === "FOLLOW_UP_MESSAGE") return true;
  if (isObject(input) && input.direction === "OUTBOUND") return true;
  return Array.isArray(messages) && messages.some(({ direction }) => direction === "OUTBOUND");
}

const timeOr = (time: unknown, otherwise: string): string => (typeof time === "string" ? time : otherwise);
