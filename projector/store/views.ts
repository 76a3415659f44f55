import type { Connection } from "../../shared/sqlite.ts";
import type { AssembledView } from "../assemble/body.ts";

interface VersionedView {
  readonly version: number;
  readonly body: Buffer;
  readonly urlSlots: string | null;
}

/** The rows that the API reads. */
export function createViews(db: Connection) {
  const get = db.prepare<[string], VersionedView>(
    "SELECT version, body, url_slots AS urlSlots FROM lead_view WHERE lead_id = ?",
  );
  const insert = db.prepare(
    "INSERT INTO lead_view (lead_id, workspace_id, version, body, url_slots) VALUES (?, ?, 1, ?, ?)",
  );
  const update = db.prepare(
    "UPDATE lead_view SET version = version + 1, body = ?, url_slots = ? WHERE lead_id = ?",
  );
  const remove = db.prepare<[string]>("DELETE FROM lead_view WHERE lead_id = ?");
  return {
    /**
     * Writes a lead's view; its version grows only where the bytes changed.
     * @param isFirst true where the lead is known to have none yet
     */
    write(leadId: string, workspaceId: string, { body, urlSlots }: AssembledView, isFirst: boolean): void {
      const slots = urlSlots.length === 0 ? null : JSON.stringify(urlSlots);
      const stored = isFirst ? undefined : get.get(leadId);
      if (!stored) insert.run(leadId, workspaceId, body, slots);
      else if (stored.urlSlots !== slots || !stored.body.equals(body)) update.run(body, slots, leadId);
    },
    erase: (leadId: string): void => void remove.run(leadId),
  };
}
