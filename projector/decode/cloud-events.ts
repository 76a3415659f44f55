import type { Headers, HeaderValue } from "../source/source.ts";

/** A header's text; its last value where it is given several times. */
export function headerText(headers: Headers, name: string): string | undefined {
  if (!Object.hasOwn(headers, name)) return undefined;
  const value: HeaderValue | undefined = headers[name];
  const last = Array.isArray(value) ? value.at(-1) : value;
  return last === undefined ? undefined : last.toString();
}

/** True where the record is a CloudEvent in Kafka's binary mode. */
export const isCloudEvent = (headers: Headers): boolean => Object.hasOwn(headers, "ce_specversion");

/**
 * The envelope of a binary-mode CloudEvent (design.md section 3): what the value leaves out comes from the
 * headers. A value without a `data` object is itself the data.
 */
export function cloudEventEnvelope(
  headers: Headers,
  key: string | null,
  value: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const own = typeof value.data === "object" ? value : { data: value };
  const fromHeaders = {
    id: headerText(headers, "ce_id"),
    event: headerText(headers, "ce_type"),
    occurredAt: headerText(headers, "ce_time"),
    workspaceId: headerText(headers, "ce_workspaceid") ?? value.workspaceId,
    leadId: headerText(headers, "ce_subject") ?? key,
    schemaVersion: versionOf(headerText(headers, "ce_schemaversion")),
  };
  const envelope: Record<string, unknown> = { ...own };
  for (const [name, text] of Object.entries(fromHeaders)) {
    if (envelope[name] === undefined && text !== undefined && text !== null) envelope[name] = text;
  }
  return envelope;
}

/** A version header as a number; text that is none is kept, for the schema to refuse. */
function versionOf(text: string | undefined): number | string | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : text;
}
