import { isObject } from "../../shared/events/exact-json.ts";
import type { LeadStatus } from "../../shared/view/lead-view.ts";
import type { Item, LeadPart } from "../fold/lead-part.ts";

/** The status: opted out, else completed, else under review, else in progress. */
export function leadStatus({ record, completed, groups }: LeadPart): LeadStatus {
  if (record.didOptOut === true) return "OPTED_OUT";
  if (completed) return "COMPLETED";
  const needsReview = groups.some(({ items }) =>
    items.some((item) => isShown(item) && item.status === "NEEDS_REVIEW"),
  );
  return needsReview ? "REVIEW" : "IN_PROGRESS";
}

/** An item is hidden only by its own override; conditions can't be judged from here. */
const isShown = ({ itemOverride }: Item): boolean =>
  !(isObject(itemOverride) && itemOverride.hidden === true);
