import type { Identity } from "../fold/identity.ts";
import { byTimeThenId } from "../fold/order.ts";

/** A view lists at most this many (rule: cost). */
const MOST_MATCHES = 50;
/** An identity that more leads share is a placeholder and matches nobody (rule: cost). */
export const MOST_SHARED = 200;

/** A created lead of the workspace that shares this lead's e-mail or phone. */
export interface MatchingLead extends Pick<Identity, "createdAt" | "matchable" | "card"> {
  readonly id: string;
  readonly matchedOn: readonly ("email" | "phoneNumber")[];
}

/** What matchingLeads shows of the leads that share an identity with one, itself perhaps among them: oldest first. */
export function renderMatchingLeads(leadId: string, candidates: readonly MatchingLead[]): string {
  const shown = candidates
    .filter(({ id, matchable }) => id !== leadId && matchable)
    .sort((a, b) => byTimeThenId(a.createdAt, a.id, b.createdAt, b.id))
    .slice(0, MOST_MATCHES)
    .map(({ card, matchedOn }) => `${card},"matchedOn":${JSON.stringify(matchedOn)}}`);
  return `[${shown.join(",")}]`;
}
