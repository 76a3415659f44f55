import type { Identity } from "../fold/identity.ts";
import type { LeadPart } from "../fold/lead-part.ts";
import { byTimeThenId } from "../fold/order.ts";

/** A view lists at most this many (rule: cost). */
const MOST_MATCHES = 50;
/** An identity that more leads share is a placeholder and matches nobody (rule: cost). */
export const MOST_SHARED = 200;

/** A created lead of the workspace that shares this lead's e-mail or phone. */
export interface MatchingLead {
  readonly id: string;
  readonly identity: Pick<Identity, "createdAt" | "matchable" | "card">;
  readonly matchedOn: readonly ("email" | "phoneNumber")[];
}

/** What matchingLeads shows: oldest first, none for a test lead. */
export function renderMatchingLeads(
  { leadId, record }: LeadPart,
  candidates: readonly MatchingLead[],
): string {
  if (record.isTest === true) return "[]";
  const shown = candidates
    .filter(({ id, identity }) => id !== leadId && identity.matchable)
    .sort((a, b) => byTimeThenId(a.identity.createdAt, a.id, b.identity.createdAt, b.id))
    .slice(0, MOST_MATCHES)
    .map(({ identity, matchedOn }) => `${identity.card},"matchedOn":${JSON.stringify(matchedOn)}}`);
  return `[${shown.join(",")}]`;
}
