import * as Schema from "@effect/schema/Schema";
import { given, Id, Json, maybe, Text, Time } from "./fields.ts";

const Tool = Schema.Struct({ id: maybe(Text), name: maybe(Text), description: maybe(Text) });

const Message = Schema.Struct({
  id: Id,
  channel: maybe(Text),
  direction: maybe(Text),
  subject: maybe(Text),
  body: maybe(Text),
  documents: maybe(Schema.Array(Schema.Struct({ id: Id }))),
});

/** An action log, or a patch of one. The shapes of input and output vary by type. */
const ActionLog = Schema.Struct({
  id: Id,
  type: maybe(Text),
  status: maybe(Text),
  summary: maybe(Text),
  input: given(Json),
  output: given(Json),
  error: given(Json),
  parentActionId: maybe(Id),
  scheduledAt: maybe(Time),
  createdAt: maybe(Time),
  completedAt: maybe(Time),
  tool: maybe(Tool),
  messages: maybe(Schema.Array(Message)),
});

/** Data of the events of `omni.action_log`. */
export const actionLogEvents = {
  "action_log.created": ActionLog,
  "action_log.updated": ActionLog,
  "action_log.completed": ActionLog,
  "action_log.failed": ActionLog,
  "action_log.cancelled": ActionLog,
} as const;
