import * as Schema from "@effect/schema/Schema";
import { given, ItemValue, Json, maybe, Text } from "../events/fields.ts";

// The response of GET /api/v1/leads/:id. The order of the fields is the order in the view; unknown fields follow, by name
// (rule: field order).

/** A time in the view: ISO-8601 UTC with milliseconds. */
const ViewTime = Schema.String.check(Schema.isPattern(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/u));
const nullable = <S extends Schema.Constraint>(schema: S) => Schema.NullOr(schema);

/** Always all of the seed's 21 fields. */
export const Lead = Schema.Struct({
  id: Text,
  activitySummary: nullable(Text),
  assigneeType: nullable(Text),
  businessName: nullable(Text),
  createdAt: nullable(ViewTime),
  deletedAt: nullable(ViewTime),
  didOptOut: Schema.Boolean,
  email: nullable(Text),
  emailVerifiedAt: nullable(ViewTime),
  externalLeadId: nullable(Text),
  externalPortalLink: nullable(Text),
  firstName: nullable(Text),
  isTest: Schema.Boolean,
  lastName: nullable(Text),
  phoneNumber: nullable(Text),
  phoneVerifiedAt: nullable(ViewTime),
  source: nullable(Text),
  submittedAt: nullable(ViewTime),
  updatedAt: nullable(ViewTime),
  website: nullable(Text),
  workspaceId: Text,
});

export const Status = Schema.Literals(["IN_PROGRESS", "COMPLETED", "REVIEW", "OPTED_OUT"]);

export const Definition = Schema.Struct({
  id: given(Text),
  code: maybe(Text),
  label: maybe(Text),
  fieldType: maybe(Text),
  isRequired: maybe(Schema.Boolean),
  conditions: given(Json),
  validationRules: given(Json),
  helpText: maybe(Text),
  clientInstructions: maybe(Text),
  agentInstructions: maybe(Text),
});

/** A document below a checklist item: the document with what its link says of it. */
export const ItemDocument = Schema.Struct({
  id: Text,
  filename: maybe(Text),
  mimeType: maybe(Text),
  size: maybe(Schema.Int),
  signedUrl: nullable(Text),
  metadata: given(Json),
  overallValid: maybe(Schema.Boolean),
  validationResult: given(Json),
});

export const Item = Schema.Struct({
  id: Text,
  checklistItemId: maybe(Text),
  value: given(ItemValue),
  status: maybe(Text),
  itemOverride: given(Json),
  checklistItem: maybe(Definition),
  documents: given(Schema.Array(ItemDocument)),
  alternateValues: maybe(Schema.Array(Json)),
  validationError: maybe(Text),
  leadId: maybe(Text),
  code: maybe(Text),
  label: maybe(Text),
  fieldType: maybe(Text),
  isRequired: maybe(Schema.Boolean),
  agentInstructions: maybe(Text),
  clientInstructions: maybe(Text),
  createdAt: maybe(ViewTime),
});

export const Group = Schema.Struct({
  id: Text,
  name: maybe(Text),
  conditions: given(Json),
  items: Schema.Array(Item),
});

export const Link = Schema.Struct({
  id: Text,
  leadChecklistItemId: Text,
  documentId: Text,
  overallValid: maybe(Schema.Boolean),
  validationResult: given(Json),
});

export const Document = Schema.Struct({
  id: Text,
  filename: maybe(Text),
  mimeType: maybe(Text),
  size: maybe(Schema.Int),
  metadata: given(Json),
  createdAt: maybe(ViewTime),
  signedUrl: nullable(Text),
  leadChecklistItemDocument: Schema.Array(Link),
  status: maybe(Text),
  type: maybe(Text),
  summary: maybe(Text),
  leadId: maybe(Text),
  messageId: maybe(Text),
});

/** A document below a message. */
export const MessageDocument = Schema.Struct({
  id: Text,
  filename: maybe(Text),
  mimeType: maybe(Text),
  size: maybe(Schema.Int),
  signedUrl: nullable(Text),
});

export const Message = Schema.Struct({
  id: Text,
  channel: maybe(Text),
  direction: maybe(Text),
  subject: maybe(Text),
  body: maybe(Text),
  documents: given(Schema.Array(MessageDocument)),
});

export const Tool = Schema.Struct({ id: maybe(Text), name: maybe(Text), description: maybe(Text) });

export const ActionLog = Schema.Struct({
  id: Text,
  type: maybe(Text),
  status: maybe(Text),
  summary: maybe(Text),
  createdAt: maybe(ViewTime),
  input: given(Json),
  output: given(Json),
  error: given(Json),
  parentActionId: maybe(Text),
  scheduledAt: maybe(ViewTime),
  completedAt: maybe(ViewTime),
  tool: maybe(Tool),
  messages: maybe(Schema.Array(Message)),
});

export const LastAction = Schema.Struct({ ...ActionLog.fields, toolCalls: Schema.Array(ActionLog) });

export const MatchingLead = Schema.Struct({
  id: Text,
  firstName: nullable(Text),
  lastName: nullable(Text),
  businessName: nullable(Text),
  email: nullable(Text),
  phoneNumber: nullable(Text),
  createdAt: nullable(ViewTime),
  matchedOn: Schema.Array(Schema.Literals(["email", "phoneNumber"])),
});

/** The response of GET /api/v1/leads/:id (seed). */
export const LeadView = Schema.Struct({
  lead: Lead,
  status: Status,
  checklistItems: Schema.Array(Group),
  documents: Schema.Array(Document),
  actionLogs: Schema.Array(ActionLog),
  matchingLeads: Schema.Array(MatchingLead),
  lastAction: Schema.NullOr(LastAction),
  nextFollowUp: Schema.NullOr(ActionLog),
  nextDraft: Schema.NullOr(ActionLog),
});

export type LeadStatus = (typeof Status)["Type"];
