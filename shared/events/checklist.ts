import * as Schema from "@effect/schema/Schema";
import { given, Id, ItemValue, Json, maybe, Text, Time } from "./fields.ts";

/** What a checklist item asks for; field types are open, unknown ones pass through. */
const Definition = Schema.Struct({
  id: given(Id),
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

/** A lead's checklist item, or a patch of one; a one-off item carries its definition's fields itself. */
const Item = Schema.Struct({
  id: Id,
  checklistItemId: maybe(Id),
  value: given(ItemValue),
  status: maybe(Text),
  itemOverride: given(Json),
  checklistItem: maybe(Definition),
  alternateValues: maybe(Schema.Array(Json)),
  validationError: maybe(Text),
  leadId: maybe(Text),
  code: maybe(Text),
  label: maybe(Text),
  fieldType: maybe(Text),
  isRequired: maybe(Schema.Boolean),
  agentInstructions: maybe(Text),
  clientInstructions: maybe(Text),
  createdAt: maybe(Time),
});

const groupFacts = { id: Id, name: maybe(Text), conditions: given(Json) };

/** Data of the events of `omni.checklist`. */
export const checklistEvents = {
  "checklist.assigned": Schema.Struct({
    groups: Schema.Array(Schema.Struct({ ...groupFacts, items: Schema.Array(Item) })),
  }),
  "checklist_item.added": Schema.Struct({ groupId: maybe(Id), item: Item }),
  "checklist_item.updated": Item,
  "checklist_item.removed": Schema.Struct({ id: Id }),
  "checklist_group.updated": Schema.Struct(groupFacts),
  "checklist_group.removed": Schema.Struct({ id: Id }),
} as const;
