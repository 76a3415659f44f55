import type { EventOf } from "../../shared/events/catalogue.ts";
import type { checklistEvents } from "../../shared/events/checklist.ts";
import { isObject } from "../../shared/events/exact-json.ts";
import type { Fields } from "./entity.ts";
import { FoldError, unknownEntity } from "./fold-error.ts";
import {
  changeItem,
  dropItem,
  type Group,
  type Item,
  type LeadPart,
  NO_PIECE,
  putItem,
  TOUCHED,
} from "./lead-part.ts";

export type ChecklistEvent = EventOf<keyof typeof checklistEvents>;

type GivenItem = Fields & { readonly id: string };

/** Where items stand that belong to no group: last, and only while there are any. */
const OTHER_GROUP = { id: "other", name: "Other", conditions: null } as const;

/**
 * Folds one event of `omni.checklist`. Groups and items stay in the order in which they came.
 * @throws FoldError unknown_entity for a patch of what is not there, duplicate_entity for a checklist with an id twice;
 * nothing is changed then
 */
export function foldChecklist(part: LeadPart, event: ChecklistEvent): void {
  switch (event.event) {
    case "checklist.assigned":
      assign(part, event.data.groups);
      break;
    case "checklist_item.added":
      addItem(part, event.data.groupId ?? null, event.data.item);
      break;
    case "checklist_item.updated":
      updateItem(part, event.data);
      break;
    case "checklist_item.removed":
      removeItem(part, event.data.id);
      break;
    case "checklist_group.updated":
      updateGroup(part, event.data);
      break;
    case "checklist_group.removed":
      removeGroups(part, ({ facts }) => facts.id === event.data.id);
      break;
  }
  part.touched |= TOUCHED.checklist;
}

function assign(part: LeadPart, given: EventOf<"checklist.assigned">["data"]["groups"]): void {
  requireDistinct("group", given);
  requireDistinct(
    "item",
    given.flatMap(({ items }) => items),
  );
  removeGroups(part, () => true);
  part.groups = given.map(({ items, ...facts }) => ({
    facts,
    items: items.map((item, rank) => newItem(part, facts.id, rank, item)),
  }));
}

function requireDistinct(kind: string, entities: readonly { readonly id: string }[]): void {
  if (new Set(entities.map(({ id }) => id)).size < entities.length) {
    throw new FoldError("duplicate_entity", `the checklist has two ${kind}s with the same id`);
  }
}

function newItem(part: LeadPart, groupId: string, rank: number, fields: GivenItem): Item {
  const item: Item = {
    id: fields.id,
    fields,
    text: undefined,
    shown: undefined,
    piece: NO_PIECE,
    groupId,
    rank,
  };
  putItem(part, item);
  return item;
}

/** An item that is there already is patched where it stands; a group that is not known yet starts here. */
function addItem(part: LeadPart, groupId: string | null, given: GivenItem): void {
  if (part.items.has(given.id)) {
    updateItem(part, given);
    return;
  }
  const target = groupId ?? OTHER_GROUP.id;
  const group =
    part.groups.find(({ facts }) => facts.id === target) ??
    startGroup(part, groupId === null ? OTHER_GROUP : { id: groupId });
  group.items = [...group.items, newItem(part, target, (group.items.at(-1)?.rank ?? -1) + 1, given)];
}

/** The group without a name of its own stands last. */
function startGroup(part: LeadPart, facts: Group["facts"]): Group {
  const started: Group = { facts, items: [] };
  const { groups } = part;
  const last = groups.at(-1);
  part.groups =
    facts !== OTHER_GROUP && last?.facts.id === OTHER_GROUP.id
      ? [...groups.slice(0, -1), started, last]
      : [...groups, started];
  return started;
}

function updateItem(part: LeadPart, patch: GivenItem): void {
  const item = part.items.get(patch.id);
  if (!item) throw unknownEntity("checklist item", "added");
  changeItem(part, item, patched(item.fields, patch));
}

/** The definition is patched too, not replaced. */
function patched(fields: Fields, patch: GivenItem): Fields {
  const definition = patch.checklistItem;
  const old = fields.checklistItem;
  return isObject(definition) && isObject(old)
    ? { ...fields, ...patch, checklistItem: { ...old, ...definition } }
    : { ...fields, ...patch };
}

function removeItem(part: LeadPart, id: string): void {
  const item = part.items.get(id);
  if (item) {
    dropItem(part, item);
    const group = part.groups.find(({ facts }) => facts.id === item.groupId);
    if (group) group.items = group.items.filter((one) => one !== item);
  }
  part.groups = part.groups.filter(({ facts, items }) => facts.id !== OTHER_GROUP.id || items.length > 0);
}

function updateGroup(part: LeadPart, patch: Fields & { readonly id: string }): void {
  const group = part.groups.find(({ facts }) => facts.id === patch.id);
  if (!group) throw unknownEntity("checklist group", "added");
  const { items: _, ...given } = patch;
  group.facts = { ...group.facts, ...given };
}

function removeGroups(part: LeadPart, gone: (group: Group) => boolean): void {
  for (const group of part.groups) if (gone(group)) for (const item of group.items) dropItem(part, item);
  part.groups = part.groups.filter((group) => !gone(group));
}
