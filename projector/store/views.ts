import type { Connection } from "../../shared/sqlite.ts";
import type { AssembledView } from "../assemble/body.ts";
import type { createChanges } from "./changes.ts";

interface VersionedView {
  readonly version: number;
  readonly body: Buffer;
  readonly urlSlots: string | null;
}

/** The rows that the API reads, and what subscribers are told of them. */
export function createViews(db: Connection, changes: ReturnType<typeof createChanges>) {
  const get = db.prepare<[string], VersionedView>(
    "SELECT version, body, url_slots AS urlSlots FROM lead_view WHERE lead_id = ?",
  );
  const insert = db.prepare(
    "INSERT INTO lead_view (lead_id, workspace_id, version, body, url_slots) VALUES (?, ?, 1, ?, ?)",
  );
  const update = db.prepare(
    "UPDATE lead_view SET version = version + 1, body = ?, url_slots = ? WHERE lead_id = ?",
  );
  const remove = db.prepare<[string], { workspaceId: string; version: number }>(
    "DELETE FROM lead_view WHERE lead_id = ? RETURNING workspace_id AS workspaceId, version",
  );
  const slotsOf = ({ urlSlots }: AssembledView) => (urlSlots.length === 0 ? null : JSON.stringify(urlSlots));
  return {
    get: (leadId: string): VersionedView | undefined => get.get(leadId),
    /**
     * Writes a lead's view; its version grows, and subscribers are told, only where the bytes changed.
     * @param isFirst true where the lead is known to have none yet
     * @param traceparent the trace of the event that changed it
     */
    write(
      leadId: string,
      workspaceId: string,
      view: AssembledView,
      { isFirst, traceparent }: { readonly isFirst: boolean; readonly traceparent: string | null },
    ): void {
      const { body, status, sectionEnds } = view;
      const slots = slotsOf(view);
      const stored = isFirst ? undefined : get.get(leadId);
      if (!stored) insert.run(leadId, workspaceId, body, slots);
      else if (stored.urlSlots !== slots || !stored.body.equals(body)) update.run(body, slots, leadId);
      else return;
      const version = (stored?.version ?? 0) + 1;
      changes.changed({ leadId, workspaceId, version, status, traceparent }, body, sectionEnds, stored);
    },
    /** Writes a view of a bulk load, of which nobody is told before the generation serves. */
    load(leadId: string, workspaceId: string, view: AssembledView): void {
      insert.run(leadId, workspaceId, view.body, slotsOf(view));
    },
    erase(leadId: string, traceparent: string | null): void {
      const removed = remove.get(leadId);
      if (removed) changes.erased(leadId, removed.workspaceId, removed.version + 1, traceparent);
    },
  };
}
