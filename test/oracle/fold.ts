// The oracle's state: what each event makes of a lead, as plain objects.

// biome-ignore lint/suspicious/noExplicitAny: the model walks JSON of every shape.
export type Json = Record<string, any>;

/** A lead as one workspace's events tell of it. */
export interface Part {
  created: string | null;
  lead: Json;
  completed: boolean;
  groups: Json[];
  documents: Json[];
  links: Json[];
  logs: Json[];
  /** By topic, the ids of the events that were folded or came again, the latest last. */
  seen: Record<string, string[]>;
}

export const newPart = (): Part => ({
  created: null,
  lead: {},
  completed: false,
  groups: [],
  documents: [],
  links: [],
  logs: [],
  seen: {},
});

/** @returns false where the event speaks of what is not there */
export function fold(part: Part, { id: eventId, event, data, occurredAt }: Json): boolean {
  const { id, workspaceId: _, ...fields } = data;
  const item = (itemId: string) =>
    part.groups.flatMap((group) => group.items).find((one) => one.id === itemId);
  const remove = (list: Json[], gone: (one: Json) => boolean) => list.filter((one) => !gone(one));
  const document = part.documents.find((one) => one.id === id);
  const log = part.logs.find((one) => one.id === id);
  switch (event) {
    case "lead.created":
      if (part.created === eventId) return true;
      part.lead = part.created === null ? { ...part.lead, ...fields } : fields;
      part.created = eventId;
      return true;
    case "lead.updated":
      Object.assign(part.lead, fields);
      return true;
    case "lead.completed":
      part.completed = true;
      if (data.submittedAt !== undefined) part.lead.submittedAt = data.submittedAt;
      return true;
    case "lead.reopened":
      part.completed = false;
      return true;
    case "lead.opted_out":
      part.lead.didOptOut = true;
      part.lead.optOutAt = data.optOutAt ?? occurredAt;
      return true;
    case "lead.deleted":
      part.lead.deletedAt = data.deletedAt;
      return true;
    case "lead.restored":
      part.lead.deletedAt = null;
      return true;
    case "checklist.assigned":
      part.groups = copy(data.groups);
      return true;
    case "checklist_item.added": {
      const known = item(data.item.id);
      if (known) {
        patchItem(known, data.item);
        return true;
      }
      const groupId = data.groupId ?? "other";
      let group = part.groups.find((one) => one.id === groupId);
      if (!group) {
        group = data.groupId
          ? { id: groupId, items: [] }
          : { id: "other", name: "Other", conditions: null, items: [] };
        const last =
          part.groups.at(-1)?.id === "other" && groupId !== "other" ? part.groups.pop() : undefined;
        part.groups.push(group, ...(last ? [last] : []));
      }
      group.items.push(copy(data.item));
      return true;
    }
    case "checklist_item.updated": {
      const known = item(id);
      if (known) patchItem(known, data);
      return known !== undefined;
    }
    case "checklist_item.removed":
      for (const group of part.groups) group.items = remove(group.items, (one) => one.id === id);
      part.groups = remove(part.groups, (group) => group.id === "other" && group.items.length === 0);
      return true;
    case "checklist_group.updated": {
      const group = part.groups.find((one) => one.id === id);
      if (group) Object.assign(group, fields);
      return group !== undefined;
    }
    case "checklist_group.removed":
      part.groups = remove(part.groups, (group) => group.id === id);
      return true;
    case "document.received":
      part.documents = [...remove(part.documents, (one) => one.id === id), { ...data }];
      return true;
    case "document.extracted":
      if (document) Object.assign(document, data);
      return document !== undefined;
    case "document.linked":
      part.links = [...remove(part.links, (one) => one.id === id), { ...data }];
      return true;
    case "document.unlinked":
      part.links = remove(part.links, (one) => one.id === id);
      return true;
    case "document.deleted":
      part.documents = remove(part.documents, (one) => one.id === id);
      part.links = remove(part.links, (one) => one.documentId === id);
      return true;
    case "action_log.created":
      part.logs = [...remove(part.logs, (one) => one.id === id), { ...data }];
      return true;
    case "action_log.updated":
      if (log) Object.assign(log, data);
      return log !== undefined;
    case "action_log.cancelled":
      if (log) Object.assign(log, data, { status: "CANCELLED" });
      return log !== undefined;
    case "action_log.completed":
    case "action_log.failed": {
      const status = event === "action_log.completed" ? "COMPLETED" : "FAILED";
      if (log) Object.assign(log, data, { status });
      else part.logs.push({ ...data, status });
      return true;
    }
    default:
      throw new Error(`the oracle does not know ${event}`);
  }
}

function patchItem(item: Json, patch: Json): void {
  const definition = item.checklistItem;
  Object.assign(item, copy(patch));
  if (definition && patch.checklistItem) item.checklistItem = { ...definition, ...patch.checklistItem };
}

/** Leaves are shared: a number by its digits is one too. */
const copy = (value: any): any =>
  Array.isArray(value)
    ? value.map(copy)
    : typeof value === "object" && value !== null && !JSON.isRawJSON(value)
      ? Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copy(member)]))
      : value;
