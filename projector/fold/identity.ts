import { plain } from "../../shared/events/exact-json.ts";
import { emailKey, phoneKey } from "../../shared/identity-keys.ts";
import type { Fields } from "./entity.ts";
import type { LeadPart } from "./lead-part.ts";

/** What other leads see of a lead, and what it is matched by (rule: matching leads). */
export interface Identity {
  /** What the platform's customer calls the lead; null where it was not given, or can't be looked up. */
  readonly externalLeadId: string | null;
  /** Null where the lead has no e-mail address. */
  readonly emailKey: string | null;
  /** Null where the lead has no phone number. */
  readonly phoneKey: string | null;
  readonly createdAt: string | null;
  /** False for a deleted or a test lead: it is matched by nobody. */
  readonly matchable: boolean;
  /** False for a test lead: its own view lists no matching leads. */
  readonly matches: boolean;
  /** The JSON text of the view's matchingLeads entry, without `matchedOn` and the closing brace. */
  readonly card: string;
}

/** The identity of a created lead; null before. */
export function identityOf({ leadId, createdBy, record }: LeadPart): Identity | null {
  if (createdBy === null) return null;
  const { firstName = null, lastName = null, businessName = null, email = null } = record;
  const { phoneNumber = null, createdAt = null } = record;
  const card = { id: leadId, firstName, lastName, businessName, email, phoneNumber, createdAt };
  const { externalLeadId = null } = record;
  return {
    externalLeadId: findable(externalLeadId),
    emailKey: emailKey(email),
    phoneKey: phoneKey(phoneNumber),
    createdAt: createdAt as string | null,
    matchable: (record.deletedAt ?? null) === null && record.isTest !== true,
    matches: record.isTest !== true,
    card: JSON.stringify(card).slice(0, -1),
  };
}

/** Of a record what others see of the lead, and what decides whether they do. */
const SEEN_BY_OTHERS = [
  "firstName",
  "lastName",
  "businessName",
  "email",
  "phoneNumber",
  "createdAt",
  "deletedAt",
  "isTest",
] as const;

/** True where a record says the same to other leads as it did before. */
export const looksTheSame = (before: Fields, after: Fields): boolean =>
  before === after || SEEN_BY_OTHERS.every((name) => (before[name] ?? null) === (after[name] ?? null));

/** A text as the database can look it up: it has UTF-8, or is none. */
function findable(value: unknown): string | null {
  const text = plain(value);
  return typeof text === "string" && text.isWellFormed() ? text : null;
}

export const sameIdentity = (a: Identity | null, b: Identity | null): boolean =>
  a === b ||
  (a !== null &&
    b !== null &&
    a.externalLeadId === b.externalLeadId &&
    a.emailKey === b.emailKey &&
    a.phoneKey === b.phoneKey &&
    a.matchable === b.matchable &&
    a.matches === b.matches &&
    a.card === b.card);
