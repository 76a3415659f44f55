// The oracle's view: computed from the state of all leads, from nothing, whenever it is asked for.
import { domainToASCII } from "node:url";
import { parsePhoneNumberFromString } from "libphonenumber-js/min";
import type { Json, Part } from "./fold.ts";

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

export interface ShownLead {
  readonly id: string;
  readonly workspaceId: string;
  readonly part: Part;
}

export function view(self: ShownLead, all: readonly ShownLead[]): Json {
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
