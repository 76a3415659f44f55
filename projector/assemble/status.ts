import type { LeadStatus } from "../../shared/view/lead-view.ts";
import type { LeadPart } from "../fold/lead-part.ts";

/** The status: opted out, else completed, else under review, else in progress. */
export function leadStatus({ record, completed, reviews }: LeadPart): LeadStatus {
  if (record.didOptOut === true) return "OPTED_OUT";
  if (completed) return "COMPLETED";
  return reviews > 0 ? "REVIEW" : "IN_PROGRESS";
}
