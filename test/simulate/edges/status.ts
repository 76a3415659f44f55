import { leadStatus as status } from "../../../projector/assemble/status.ts";
import type { LeadPart } from "../../../projector/fold/lead-part.ts";
import type { LeadStatus } from "../../../shared/view/lead-view.ts";
import { FOLD_VERSION } from "./fold-version.ts";

/** What an upgrade changes: by the rules of every second version these two are called the other way round. */
const OTHERS: Readonly<Record<string, LeadStatus>> = { REVIEW: "IN_PROGRESS", IN_PROGRESS: "REVIEW" };

export function leadStatus(part: LeadPart): LeadStatus {
  const found = status(part);
  return FOLD_VERSION % 2 === 0 ? (OTHERS[found] ?? found) : found;
}

/** A view by the first rules, as it is by those of now. */
export const byRulesOfNow = (view: string): string =>
  FOLD_VERSION % 2 === 0
    ? view.replace(
        /,"status":"(REVIEW|IN_PROGRESS)","checklistItems":/,
        (_all, found: string) => `,"status":"${OTHERS[found]}","checklistItems":`,
      )
    : view;
