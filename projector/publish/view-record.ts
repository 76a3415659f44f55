import type { Message } from "kafkajs";
import { bodyOfView, type ChangeRow, SECTIONS, viewWithoutUrls } from "../../shared/view/change.ts";
import type { UrlSlot } from "../../shared/view/row.ts";
import { headerText } from "../source/headers.ts";
import type { SourceRecord } from "../source/source.ts";

// A view as a record of the topic of views: its key is the lead's id and its value the view without signed URLs, so that
// anybody can read it. What it takes beside to serve the view as the projector's own host does is in headers.

/** The form of the headers: a topic that was written in an older one is written again. */
export const RECORD_FORMAT = 2;

/** What a record says. */
export type ViewRecord =
  | { readonly kind: "view"; readonly change: ChangeRow }
  /** The view is gone. */
  | { readonly kind: "tombstone"; readonly change: ChangeRow }
  /** The view is larger than the topic takes: `dataref` says where it is to be had. */
  | { readonly kind: "reference"; readonly change: ChangeRow; readonly dataref: string };

/** A view under its lead's id, with CloudEvents headers in binary mode; an erased lead's is a tombstone. */
export function messageOf(change: ChangeRow, traceparent: string | undefined): Message {
  const { leadId, status, body, urlSlots } = change;
  const trace = traceparent === undefined ? {} : { traceparent };
  if (status === null || body === null)
    return { key: leadId, value: null, headers: { ...headersOf(change, "lead_view.erased"), ...trace } };
  return {
    key: leadId,
    value: viewWithoutUrls(body, urlSlots),
    headers: {
      ...headersOf(change, "lead_view.changed"),
      status,
      section_numbers: change.sectionNumbers,
      section_ends: change.sectionEnds,
      ...(urlSlots === null ? {} : { url_slots: urlSlots }),
      ...trace,
    },
  };
}

/** What stands for a view that the topic can't take: no value (empty, for null would erase), and where to read it. */
export function referenceOf(change: ChangeRow): Message {
  const dataref = `/api/v1/leads/${encodeURIComponent(change.leadId)}`;
  return {
    key: change.leadId,
    value: Buffer.alloc(0),
    headers: { ...headersOf(change, "lead_view.changed"), ce_dataref: dataref },
  };
}

/** A record in JSON, for a replica that the topic could not bring it to. */
export interface RecordJson {
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  /** In base64; null = a tombstone. */
  readonly value: string | null;
}

export function recordJsonOf(change: ChangeRow): RecordJson {
  const { value, headers } = messageOf(change, change.traceparent ?? undefined);
  return {
    key: change.leadId,
    headers: headers as Record<string, string>,
    value: value === null ? null : Buffer.from(value).toString("base64"),
  };
}

export const recordOfJson = ({ key, headers, value }: RecordJson): SourceRecord => ({
  topic: "",
  partition: 0,
  offset: 0,
  key: Buffer.from(key),
  timestamp: 0,
  headers,
  value: value === null ? null : Buffer.from(value, "base64"),
});

const headersOf = ({ leadId, workspaceId, number }: ChangeRow, type: string) => ({
  ce_specversion: "1.0",
  ce_id: `${leadId}:${number}`,
  ce_source: "/lead-views",
  ce_type: type,
  ce_subject: leadId,
  ce_workspaceid: workspaceId,
  "content-type": "application/json",
  version: String(number),
});

/**
 * Reads what `messageOf` or `referenceOf` wrote.
 * @throws Error saying why it is no record of a view
 */
export function readViewRecord(record: SourceRecord): ViewRecord {
  const { key, value, headers } = record;
  const leadId = key?.toString("utf8");
  if (leadId === undefined || leadId === "") throw new Error("it has no key");
  const text = (name: string): string => {
    const found = headerText(headers, name);
    if (found === undefined) throw new Error(`it has no header ${name}`);
    return found;
  };
  const number = Number(text("version"));
  if (!Number.isSafeInteger(number) || number <= 0) throw new Error("its version is no number of a change");
  const workspaceId = text("ce_workspaceid");
  const traceparent = headerText(headers, "traceparent") ?? null;
  const none = { status: null, sectionNumbers: "[]", sectionEnds: "[]", urlSlots: null, body: null };
  const head = { leadId, workspaceId, number, traceparent, ...none };
  if (value === null) return { kind: "tombstone", change: head };
  const dataref = headerText(headers, "ce_dataref");
  if (dataref !== undefined) return { kind: "reference", change: head, dataref };
  const urlSlots = headerText(headers, "url_slots") ?? null;
  requireSlots(urlSlots);
  const body = bodyOfView(value, urlSlots);
  const sectionEnds = text("section_ends");
  requireEnds(sectionEnds, body);
  const sectionNumbers = text("section_numbers");
  listOf(sectionNumbers, "section_numbers", Number.isSafeInteger);
  const change = { ...head, status: text("status"), sectionNumbers, sectionEnds, urlSlots, body };
  return { kind: "view", change };
}

function listOf<T>(json: string, name: string, isOne: (value: unknown) => boolean): T[] {
  const list: unknown = JSON.parse(json);
  if (Array.isArray(list) && list.every(isOne)) return list as T[];
  throw new Error(`its ${name} are not what they should be`);
}

function requireSlots(json: string | null): void {
  if (json === null) return;
  const isSlot = (slot: unknown) =>
    Array.isArray(slot) && Number.isSafeInteger(slot[0]) && typeof slot[1] === "string";
  listOf<UrlSlot>(json, "url_slots", isSlot);
}

/** A section that ends elsewhere than it did would be cut in the middle of a value. */
function requireEnds(json: string, body: Buffer): void {
  const ends = listOf<number>(json, "section_ends", Number.isSafeInteger);
  const ascends = ends.every((end, index) => end > (ends[index - 1] ?? 0));
  if (ends.length === SECTIONS.length && ascends && (ends.at(-1) as number) < body.length) return;
  throw new Error("its section_ends are not those of its view");
}
