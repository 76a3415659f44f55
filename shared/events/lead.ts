import * as Schema from "@effect/schema/Schema";
import { given, Id, maybe, Text, Time } from "./fields.ts";

/** The seed's 21 fields of the lead record; every one may be absent, and null clears it. */
export const LeadRecord = Schema.Struct({
  id: given(Id),
  activitySummary: maybe(Text),
  assigneeType: maybe(Text),
  businessName: maybe(Text),
  createdAt: maybe(Time),
  deletedAt: maybe(Time),
  didOptOut: maybe(Schema.Boolean),
  email: maybe(Text),
  emailVerifiedAt: maybe(Time),
  externalLeadId: maybe(Text),
  externalPortalLink: maybe(Text),
  firstName: maybe(Text),
  isTest: maybe(Schema.Boolean),
  lastName: maybe(Text),
  phoneNumber: maybe(Text),
  phoneVerifiedAt: maybe(Time),
  source: maybe(Text),
  submittedAt: maybe(Time),
  updatedAt: maybe(Time),
  website: maybe(Text),
  workspaceId: given(Id),
});

/** Data of the events of `omni.lead`. */
export const leadEvents = {
  "lead.created": LeadRecord,
  "lead.updated": LeadRecord,
  "lead.completed": Schema.Struct({ submittedAt: maybe(Time) }),
  "lead.reopened": Schema.Struct({}),
  "lead.opted_out": Schema.Struct({ optOutAt: maybe(Time) }),
  "lead.deleted": Schema.Struct({ deletedAt: Time }),
  "lead.restored": Schema.Struct({}),
} as const;
