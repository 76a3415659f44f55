import { parsePhoneNumberFromString } from "libphonenumber-js/min";

// What leads are matched by and found by: the same text for what people write in different ways.

/** Trimmed, lower case; null for what is no text, or empty. */
export function emailKey(email: unknown): string | null {
  const key = typeof email === "string" ? email.trim().toLowerCase() : "";
  return key === "" ? null : key;
}

/** A number of the North American plan that is E.164 already: the common case, without the library. */
const E164_NANP = /^\+1[2-9]\d{2}[2-9]\d{6}$/;

/** E.164 where libphonenumber can parse it (a number without country code is read as of the US), else its digits. */
export function phoneKey(phone: unknown): string | null {
  if (typeof phone !== "string") return null;
  if (E164_NANP.test(phone)) return phone;
  const key = parsePhoneNumberFromString(phone, "US")?.number ?? phone.replace(/\D/g, "");
  return key === "" ? null : key;
}
