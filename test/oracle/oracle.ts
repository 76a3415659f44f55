// The rules of the view as a small in-memory model: no database, no batches, no increments. It keeps each lead's state
// as plain objects and computes a view from nothing whenever it is asked. It shares no code with the projector.
import { domainToASCII } from "node:url";
import { parsePhoneNumberFromString } from "libphonenumber-js/min";

// biome-ignore lint/suspicious/noExplicitAny: the model walks JSON of every shape.
type Json = Record<string, any>;
export interface OracleRecord {
  readonly leadId: string;
  /** Null erases. */
  readonly event: Json | null;
}

interface Part {
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
interface OracleLead {
  owner: string | null;
  parts: Record<string, Part>;
}

const LEAD =
  "id activitySummary assigneeType businessName createdAt deletedAt didOptOut email emailVerifiedAt externalLeadId externalPortalLink firstName isTest lastName phoneNumber phoneVerifiedAt source submittedAt updatedAt website workspaceId".split(
    " ",
  );
const ITEM =
  "id checklistItemId value status itemOverride checklistItem documents alternateValues validationError leadId code label fieldType isRequired agentInstructions clientInstructions createdAt".split(
    " ",
  );
const DEFINITION =
  "id code label fieldType isRequired conditions validationRules helpText clientInstructions agentInstructions".split(
    " ",
  );
const DOCUMENT =
  "id filename mimeType size metadata createdAt signedUrl leadChecklistItemDocument status type summary leadId messageId".split(
    " ",
  );
const LINK = "id leadChecklistItemId documentId overallValid validationResult".split(" ");
const LOG =
  "id type status summary createdAt input output error parentActionId scheduledAt completedAt tool messages toolCalls".split(
    " ",
  );
const MESSAGE = "id channel direction subject body documents".split(" ");
const FILE_TYPES = ["BANK_STATEMENT", "FILE", "ID", "TAX_RETURN"];

/** Folds a whole history and returns every view as JSON text by lead id, URLs as empty strings. */
export const oracleViews = (history: readonly OracleRecord[]): Record<string, string> =>
  oracleOutcome(history).views;

export interface OracleOutcome {
  readonly views: Record<string, string>;
  /** The workspace that each view is of. */
  readonly workspaces: Record<string, string>;
  /** Where in the history an event stands that speaks of what is not there. */
  readonly refused: readonly number[];
  readonly erased: readonly string[];
}

/** The same, with what became of each record. */
export function oracleOutcome(history: readonly OracleRecord[]): OracleOutcome {
  const leads: Record<string, OracleLead | "erased"> = {};
  const refused: number[] = [];
  for (const [index, { leadId, event }] of history.entries()) {
    if (event === null) leads[leadId] = "erased";
    leads[leadId] ??= { owner: null, parts: {} };
    const lead = leads[leadId];
    if (lead === "erased" || event === null) continue;
    lead.parts[event.workspaceId] ??= {
      created: null,
      lead: {},
      completed: false,
      groups: [],
      documents: [],
      links: [],
      logs: [],
      seen: {},
    };
    const part = lead.parts[event.workspaceId] as Part;
    const topic = /^[a-z]+/.exec(event.event)?.[0] as string;
    const seen = part.seen[topic] ?? [];
    if (!seen.includes(event.id) && !fold(part, event)) {
      refused.push(index);
      continue;
    }
    part.seen[topic] = [...seen.filter((id) => id !== event.id), event.id].slice(-128);
    if (part.created !== null) lead.owner ??= event.workspaceId;
  }
  const shown = Object.entries(leads).flatMap(([id, lead]) =>
    lead === "erased" || lead.owner === null
      ? []
      : [{ id, workspaceId: lead.owner, part: lead.parts[lead.owner] as Part }],
  );
  return {
    views: Object.fromEntries(shown.map((lead) => [lead.id, JSON.stringify(view(lead, shown))])),
    workspaces: Object.fromEntries(shown.map((lead) => [lead.id, lead.workspaceId])),
    refused,
    erased: Object.keys(leads).filter((id) => leads[id] === "erased"),
  };
}

/** @returns false where the event speaks of what is not there */
function fold(part: Part, { id: eventId, event, data, occurredAt }: Json): boolean {
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

interface ShownLead {
  readonly id: string;
  readonly workspaceId: string;
  readonly part: Part;
}

function view(self: ShownLead, all: readonly ShownLead[]): Json {
  const { part } = self;
  const lead = Object.fromEntries(
    LEAD.map((name) => [name, part.lead[name] ?? (name === "didOptOut" || name === "isTest" ? false : null)]),
  );
  lead.id = self.id;
  lead.workspaceId = self.workspaceId;
  const items = part.groups.flatMap((group) => group.items);
  const linked = part.links
    .filter((link) => items.some((item) => item.id === link.leadChecklistItemId))
    .filter((link) => part.documents.some((document) => document.id === link.documentId))
    .sort((a, b) => compare(a.id, b.id));
  const documents = sorted(part.documents, "createdAt");
  const log = (one: Json | undefined) => (one ? showLog(one, part) : null);
  const recent = sorted(part.logs, "createdAt", "").reverse();
  const lastAction = lastOutbound(part.logs);
  return {
    lead,
    status: status(part, items),
    checklistItems: part.groups.map((group) => ({
      ...given(group, ["id", "name", "conditions"]),
      items: group.items.map((item: Json) => showItem(item, documents, linked)),
      ...unknown(["id", "name", "conditions", "items"], group),
    })),
    documents: documents.map(({ storageKey, ...document }) =>
      inOrder(DOCUMENT, {
        ...document,
        signedUrl: storageKey ? "" : null,
        leadChecklistItemDocument: linked
          .filter((link) => link.documentId === document.id)
          .map((link) => inOrder(LINK, link)),
      }),
    ),
    actionLogs: recent.slice(0, 100).map(log),
    matchingLeads: matchingLeads(self, all),
    lastAction: lastAction
      ? { ...log(lastAction), toolCalls: toolCalls(lastAction, part.logs).map(log) }
      : null,
    nextFollowUp: log(
      sorted(
        part.logs.filter((one) => one.type === "FOLLOW_UP_MESSAGE" && one.status === "PENDING"),
        "scheduledAt",
      )[0],
    ),
    nextDraft: log(
      sorted(
        part.logs.filter(
          (one) => ["MESSAGE", "FOLLOW_UP_MESSAGE"].includes(one.type) && one.status === "AWAITING_APPROVAL",
        ),
        "createdAt",
      )[0],
    ),
  };
}

function status(part: Part, items: readonly Json[]): string {
  if (part.lead.didOptOut) return "OPTED_OUT";
  if (part.completed) return "COMPLETED";
  const review = items.some((item) => item.itemOverride?.hidden !== true && item.status === "NEEDS_REVIEW");
  return review ? "REVIEW" : "IN_PROGRESS";
}

function showItem(item: Json, documents: readonly Json[], linked: readonly Json[]): Json {
  const own = documents.flatMap((document) =>
    linked
      .filter((link) => link.documentId === document.id && link.leadChecklistItemId === item.id)
      .map((link) => ({
        ...facts(document),
        ...given(document, ["metadata"]),
        ...given(link, ["overallValid", "validationResult"]),
      })),
  );
  const isFile = FILE_TYPES.includes(item.checklistItem?.fieldType ?? item.fieldType);
  const definition = item.checklistItem;
  const shown = {
    ...item,
    ...(definition ? { checklistItem: inOrder(DEFINITION, definition) } : {}),
    documents: isFile || own.length > 0 ? own : undefined,
  };
  return inOrder(ITEM, shown);
}

function showLog(log: Json, part: Part): Json {
  const { toolCalls: _, ...own } = log;
  const messages = log.messages?.map((message: Json) =>
    inOrder(MESSAGE, {
      ...message,
      ...(message.documents
        ? {
            documents: message.documents.flatMap(({ id }: Json) =>
              part.documents.filter((document) => document.id === id).map(facts),
            ),
          }
        : {}),
    }),
  );
  const tool = log.tool && inOrder(["id", "name", "description"], log.tool);
  return inOrder(LOG, { ...own, ...(messages ? { messages } : {}), ...(tool ? { tool } : {}) });
}

const facts = (document: Json): Json => ({
  ...given(document, ["id", "filename", "mimeType", "size"]),
  signedUrl: document.storageKey ? "" : null,
});

function lastOutbound(logs: readonly Json[]): Json | undefined {
  const outbound = logs.filter(
    ({ type, status: state, input, messages }) =>
      state === "COMPLETED" &&
      (type === "FOLLOW_UP_MESSAGE" ||
        (type === "MESSAGE" &&
          (input?.direction === "OUTBOUND" ||
            messages?.some((message: Json) => message.direction === "OUTBOUND")))),
  );
  return outbound
    .sort(
      (a, b) =>
        compare(a.completedAt ?? "", b.completedAt ?? "") ||
        compare(a.createdAt ?? "", b.createdAt ?? "") ||
        compare(a.id, b.id),
    )
    .at(-1);
}

const toolCalls = (action: Json, logs: readonly Json[]): Json[] =>
  sorted(
    logs.filter(
      ({ type, parentActionId }) =>
        type === "TOOL_CALL" &&
        parentActionId &&
        (parentActionId === action.id || parentActionId === action.parentActionId),
    ),
    "createdAt",
  ).slice(-100);

function matchingLeads(self: ShownLead, all: readonly ShownLead[]): Json[] {
  if (self.part.lead.isTest) return [];
  const peers = all.filter(({ workspaceId }) => workspaceId === self.workspaceId);
  const shared = (key: (lead: Json) => string | null) => {
    const mine = key(self.part.lead);
    const same = mine === null ? [] : peers.filter(({ part }) => key(part.lead) === mine);
    return same.length > 200 ? [] : same;
  };
  const byEmail = shared(email);
  const byPhone = shared(phone);
  return peers
    .filter((peer) => byEmail.includes(peer) || byPhone.includes(peer))
    .filter(({ id, part }) => id !== self.id && !part.lead.deletedAt && !part.lead.isTest)
    .sort((a, b) => byTime(a.part.lead.createdAt, b.part.lead.createdAt) || compare(a.id, b.id))
    .slice(0, 50)
    .map((peer) => ({
      id: peer.id,
      ...Object.fromEntries(
        ["firstName", "lastName", "businessName", "email", "phoneNumber", "createdAt"].map((name) => [
          name,
          peer.part.lead[name] ?? null,
        ]),
      ),
      matchedOn: [
        ...(byEmail.includes(peer) ? ["email"] : []),
        ...(byPhone.includes(peer) ? ["phoneNumber"] : []),
      ],
    }));
}

const bare = (text: string): string =>
  text.replace(/[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, "").trim();
function email(lead: Json): string | null {
  const [, local = "", domain = ""] = /^(.*@)?(.*)$/s.exec(bare(lead.email ?? "").toLowerCase()) ?? [];
  const ascii = local === "" ? "" : domainToASCII(domain);
  return `${local.normalize("NFC")}${ascii === "" ? domain.normalize("NFC") : ascii}` || null;
}
function phone(lead: Json): string | null {
  if (typeof lead.phoneNumber !== "string") return null;
  const text = bare(lead.phoneNumber);
  const abroad = /^\W*00\W*([1-9].*)$/.exec(text);
  const parsed = abroad ? parsePhoneNumberFromString(`+${abroad[1]}`) : undefined;
  return (parsed ?? parsePhoneNumberFromString(text, "US"))?.number || text.replace(/\D/g, "") || null;
}

/** By a time, one that is missing last (or first, as ""), then by id. */
const sorted = (list: readonly Json[], time: string, missing = "~"): Json[] =>
  [...list].sort((a, b) => compare(a[time] ?? missing, b[time] ?? missing) || compare(a.id, b.id));
const byTime = (a: string | undefined, b: string | undefined) => compare(a ?? "~", b ?? "~");
/** By code point: as UTF-8 bytes are ordered. */
const compare = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

const given = (from: Json, names: readonly string[]): Json =>
  Object.fromEntries(names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]));
const unknown = (known: readonly string[], from: Json): Json =>
  given(
    from,
    Object.keys(from)
      .filter((name) => !known.includes(name))
      .sort(),
  );
/** Known fields in their order, then unknown ones by name. */
const inOrder = (known: readonly string[], from: Json): Json => ({
  ...given(from, known),
  ...unknown(known, from),
});
