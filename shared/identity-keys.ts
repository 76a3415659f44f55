import { domainToASCII } from "node:url";
import { parseDigits, parsePhoneNumberFromString } from "libphonenumber-js/min";
import { plain } from "./events/exact-json.ts";

/** What has no width or no picture: zero-width spaces and joiners, byte order marks, marks of direction, soft hyphens. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/gu;
const ASCII_ADDRESS = /^[\x21-\x7e]+$/;

/**
 * The form of an e-mail address that two spellings of it share: nothing invisible, no space around, lower case, its
 * characters composed (RFC 6532: NFC), its domain as DNS has it (UTS 46).
 * @returns null where there is none
 */
export function emailKey(email: unknown): string | null {
  const text = plain(email);
  if (typeof text !== "string") return null;
  // The common case, without Unicode's tables.
  if (ASCII_ADDRESS.test(text)) return text.toLowerCase();
  // What has no UTF-8 is the address of nobody.
  if (!text.isWellFormed()) return null;
  const seen = text.replace(INVISIBLE, "").trim().toLowerCase().normalize("NFC");
  const at = seen.lastIndexOf("@") + 1;
  const domain = seen.slice(at);
  const ascii = at === 0 || isAscii(domain) ? "" : domainToASCII(domain);
  return `${seen.slice(0, at)}${ascii === "" ? domain : ascii}` || null;
}

const NOT_ASCII = /[^\0-\x7f]/g;
const isAscii = (text: string): boolean => ASCII_ADDRESS.test(text);

/** A number of the North American plan that is E.164 already: the common case, without the library. */
const E164_NANP = /^\+1[2-9]\d{2}[2-9]\d{6}$/;
/** The prefix by which most of the world dials abroad; no number of the US begins so. */
const DIALLED_ABROAD = /^[^\d+]*00[^\d+]*(?=[1-9])/;

/**
 * E.164 where libphonenumber can parse it (a number without country code is read as of the US), else its digits.
 * @returns null where there is none
 */
export function phoneKey(phone: unknown): string | null {
  const text = plain(phone);
  if (typeof text !== "string") return null;
  if (E164_NANP.test(text)) return text;
  const seen = text
    .replace(INVISIBLE, "")
    .normalize("NFKC")
    .replace(NOT_ASCII, (character) => parseDigits(character) || character);
  const dialled = seen.replace(DIALLED_ABROAD, "+");
  const parsed = parsePhoneNumberFromString(dialled, "US") ?? parsePhoneNumberFromString(seen, "US");
  return parsed?.number ?? (parseDigits(seen) || null);
}
