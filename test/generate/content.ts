import type { Random } from "./random.ts";

// What the leads of a generated history are called and say.

const FIRST = [
  "John",
  "María",
  "Łukasz",
  "Zoë",
  "李",
  "Aarav",
  "Søren",
  "Chloé",
  "Ngọc",
  "Olga",
  "Sam",
  "Fatima",
];
const LAST = [
  "Doe",
  "Peña",
  "Nowak",
  "Müller",
  "王",
  "O'Neill",
  "Ångström",
  "Garcia",
  "Nguyễn",
  "Иванова",
  "Smith",
];
const TRADE = [
  "Hauling",
  "Roofing",
  "Réfrigération",
  "Bakery",
  "Dental",
  "Freight",
  "Landscaping",
  "Café",
  "Plumbing",
];
const WORDS =
  "the loan statement please send your bank account for June we need it before Friday thanks application business revenue document upload link portal question approved amount monthly payment owner tax return signed copy naïve façade 😀 café".split(
    " ",
  );

export interface Person {
  readonly firstName: string;
  readonly lastName: string;
  readonly businessName: string;
  readonly email: string;
  readonly phoneNumber: string;
}

export function person(random: Random): Person {
  const firstName = random.pick(FIRST);
  const lastName = random.pick(LAST);
  const number = random.integer(2_000_000, 9_999_999);
  const area = random.pick(["678", "415", "212", "512", "305"]);
  return {
    firstName,
    lastName,
    businessName: `${lastName} ${random.pick(TRADE)} ${random.integer(1, 999)}`,
    email: `${random.uuid().slice(0, 12)}@example.com`,
    phoneNumber: random.chance(0.8)
      ? `+1${area}${number}`
      : `(${area}) ${String(number).slice(0, 3)}-${String(number).slice(3)}`,
  };
}

/** Prose of about so many characters. */
export function prose(random: Random, characters: number): string {
  let text = random.pick(WORDS);
  while (text.length < characters) text += ` ${random.pick(WORDS)}`;
  return text;
}

export interface ItemDefinition {
  readonly code: string;
  readonly label: string;
  readonly fieldType: string;
}

export const DEFINITIONS: readonly ItemDefinition[] = [
  { code: "business_name", label: "Business Name", fieldType: "TEXT" },
  { code: "ein", label: "Employer Identification Number", fieldType: "EIN" },
  { code: "founded", label: "Founded on", fieldType: "DATE" },
  { code: "revenue", label: "Monthly revenue", fieldType: "NUMBER" },
  { code: "owner_email", label: "Owner's e-mail", fieldType: "EMAIL" },
  { code: "industry", label: "Industry", fieldType: "SELECT" },
  { code: "bank_statements", label: "Bank Statements", fieldType: "BANK_STATEMENT" },
  { code: "tax_return", label: "Tax Return", fieldType: "TAX_RETURN" },
  { code: "drivers_license", label: "Driver's License", fieldType: "ID" },
  { code: "voided_check", label: "Voided Check", fieldType: "FILE" },
];
