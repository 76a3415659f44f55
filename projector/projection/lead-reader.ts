import type { Store } from "../store/store.ts";
import type { LeadReader } from "./held-leads.ts";

/** Reads leads as of the last commit that its connection sees. */
export function createLeadReader({
  leads,
  actionLogs,
  erased,
}: Pick<Store, "leads" | "actionLogs" | "erased">): LeadReader {
  return {
    load(leadId) {
      const parts = leads.parts(leadId).map(({ no, workspaceId, owner }) => ({
        workspaceId,
        isOwner: owner === 1,
        pieces: leads.pieces(no),
      }));
      return { isErased: parts.length === 0 && erased.has(leadId), parts };
    },
    older: actionLogs.of,
  };
}
