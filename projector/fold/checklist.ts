import type { EventOf } from "../../shared/events/catalogue.ts";
import type { checklistEvents } from "../../shared/events/checklist.ts";
import { isObject } from "../../shared/events/exact-json.ts";
import { arrange, type Fields } from "./entity.ts";
import { FoldError } from "./fold-error.ts";
import { type Group, groupShape, type Item, itemShape, type LeadPart } from "./lead-part.ts";

export type ChecklistEvent = EventOf<keyof typeof checklistEvents>;

/** Where items stand that belong to no group: last, and only while there are any. */
const OTHER_GROUP = { id: "other", name: "Other", conditions: null } as const;

/**
 * Folds one event of `omni.checklist`. Groups and items stay in the order in which they came.
 * @throws FoldError unknown_entity for a patch of what is not there, duplicate_entity for a checklist with an id twice
 */
export function foldChecklist(part: LeadPart, event: ChecklistEvent): LeadPart {
  return { ...part, groups: foldGroups(part.groups, event) };
}

function foldGroups(groups: readonly Group[], event: ChecklistEvent): readonly Group[] {
  switch (event.event) {
    case "checklist.assigned":
      return assign(event.data.groups);
    case "checklist_item.added":
      return addItem(groups, event.data.groupId ?? null, event.data.item);
    case "checklist_item.updated":
      return updateItem(groups, event.data);
    case "checklist_item.removed":
      return withoutEmptyOther(
        groups.map((group) =>
          withItems(
            group,
            group.items.filter(({ id }) => id !== event.data.id),
          ),
        ),
      );
    case "checklist_group.updated":
      return updateGroup(groups, event.data);
    case "checklist_group.removed":
      return groups.filter(({ id }) => id !== event.data.id);
  }
}

function assign(given: EventOf<"checklist.assigned">["data"]["groups"]): readonly Group[] {
  requireDistinct("group", given);
  requireDistinct(
    "item",
    given.flatMap(({ items }) => items),
  );
  return given.map(({ items, ...group }) => ({
    ...(arrange(groupShape, group) as Group),
    items: items.map((item) => arrange(itemShape, item) as Item),
  }));
}

function requireDistinct(kind: string, entities: readonly { readonly id: string }[]): void {
  if (new Set(entities.map(({ id }) => id)).size < entities.length) {
    throw new FoldError("duplicate_entity", `the checklist has two ${kind}s with the same id`);
  }
}

/** An item that is there already is patched where it stands; a group that is not known yet starts here. */
function addItem(groups: readonly Group[], groupId: string | null, item: Item): readonly Group[] {
  if (groups.some(({ items }) => items.some(({ id }) => id === item.id))) return updateItem(groups, item);
  const target = groupId ?? OTHER_GROUP.id;
  const added = arrange(itemShape, item) as Item;
  if (groups.some(({ id }) => id === target)) {
    return groups.map((group) => (group.id === target ? withItems(group, [...group.items, added]) : group));
  }
  if (groupId === null) return [...groups, { ...OTHER_GROUP, items: [added] }];
  const started: Group = { id: groupId, items: [added] };
  const last = groups.at(-1);
  return last?.id === OTHER_GROUP.id ? [...groups.slice(0, -1), started, last] : [...groups, started];
}

function updateItem(groups: readonly Group[], patch: Item): readonly Group[] {
  let found = false;
  const updated = groups.map((group) => {
    if (!group.items.some(({ id }) => id === patch.id)) return group;
    found = true;
    return withItems(
      group,
      group.items.map((item) => (item.id === patch.id ? patchItem(item, patch) : item)),
    );
  });
  if (!found)
    throw new FoldError("unknown_entity", "the lead has no such checklist item; retry once it was added");
  return updated;
}

/** The definition is patched too, not replaced. */
function patchItem(item: Item, patch: Item): Item {
  const definition = patch.checklistItem;
  const old = item.checklistItem;
  const merged: Fields =
    isObject(definition) && isObject(old) ? { ...patch, checklistItem: { ...old, ...definition } } : patch;
  return arrange(itemShape, { ...item, ...merged }) as Item;
}

function updateGroup(groups: readonly Group[], patch: Fields & { readonly id: string }): readonly Group[] {
  if (!groups.some(({ id }) => id === patch.id)) {
    throw new FoldError("unknown_entity", "the lead has no such checklist group; retry once it was added");
  }
  const { items: _, ...given } = patch;
  return groups.map((group) => {
    if (group.id !== patch.id) return group;
    const { items, ...facts } = group;
    return { ...(arrange(groupShape, { ...facts, ...given }) as Group), items };
  });
}

const withItems = (group: Group, items: readonly Item[]): Group => ({ ...group, items });

const withoutEmptyOther = (groups: readonly Group[]): readonly Group[] =>
  groups.filter(({ id, items }) => id !== OTHER_GROUP.id || items.length > 0);
