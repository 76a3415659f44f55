import type { actionLogEvents } from "../../shared/events/action-log.ts";
import type { EventOf } from "../../shared/events/catalogue.ts";
import { ActionLog as ActionLogView } from "../../shared/view/lead-view.ts";
import { type Fields, type Shape, shapeOf } from "./entity.ts";
import { unknownEntity } from "./fold-error.ts";

export type ActionLogEvent = EventOf<keyof typeof actionLogEvents>;
/** An action log's fields, merged and in no order. */
export type ActionLog = Fields & { readonly id: string };

const logShape = shapeOf(ActionLogView);
export const actionLogShape: Shape = { ...logShape, computed: new Set(["toolCalls"]) };

const STATUS_OF = {
  "action_log.completed": "COMPLETED",
  "action_log.failed": "FAILED",
  "action_log.cancelled": "CANCELLED",
} as const;

/** True where the event needs to know what came before it. */
export const isPatch = (event: ActionLogEvent): boolean => event.event !== "action_log.created";

/**
 * Folds one event of `omni.action_log` into its log. A completed or failed log that was never
 * created is created by it.
 * @throws FoldError unknown_entity for an update or a cancellation of a log that was not created
 */
export function foldActionLog(log: ActionLog | undefined, event: ActionLogEvent): ActionLog {
  switch (event.event) {
    case "action_log.created":
      return event.data;
    case "action_log.completed":
    case "action_log.failed":
      return { ...log, ...event.data, status: STATUS_OF[event.event] };
    case "action_log.cancelled":
      return { ...known(log), ...event.data, status: STATUS_OF[event.event] };
    case "action_log.updated":
      return { ...known(log), ...event.data };
  }
}

function known(log: ActionLog | undefined): ActionLog {
  if (!log) throw unknownEntity("action log", "created");
  return log;
}
