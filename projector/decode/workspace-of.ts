import { isObject } from "../../shared/events/exact-json.ts";
import type { SourceRecord } from "../source/source.ts";
import type { Decode } from "./decode.ts";

/** The workspace that a record is of; undefined where it names none, and none is known of its lead. */
export type WorkspaceOf = (record: SourceRecord) => string | undefined;

/**
 * Makes the function that tells whose a record is, for records in their order: a tombstone is its lead's, which earlier
 * ones told of.
 */
export function createWorkspaceOf(decode: Decode): WorkspaceOf {
  const ofLead = new Map<string, string>();
  return (record) => {
    try {
      const decoded = decode(record);
      if ("erase" in decoded) return ofLead.get(decoded.leadId);
      const workspaceId = decoded.events[0]?.workspaceId;
      if (workspaceId !== undefined) ofLead.set(decoded.leadId, workspaceId);
      return workspaceId;
    } catch {
      return namedWorkspace(record.value);
    }
  };
}

/** What can't be folded now may be by a later program: it belongs where its workspace's events are. */
function namedWorkspace(value: Buffer | null): string | undefined {
  try {
    const parsed: unknown = JSON.parse(value?.toString("utf8") ?? "null");
    return isObject(parsed) && typeof parsed.workspaceId === "string" ? parsed.workspaceId : undefined;
  } catch {
    return undefined;
  }
}
