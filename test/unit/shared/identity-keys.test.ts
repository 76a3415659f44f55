import { expect, test } from "vitest";
import { emailKey, phoneKey } from "../../../shared/identity-keys.ts";

test.each([
  [
    "john@example.com",
    " John@Example.COM ",
    "john@example.com\u200b",
    "\ufeffjohn@example.com",
    "john\u00ad@example.com",
  ],
  ["jos\u00e9@x.de", "jose\u0301@x.de", "JOS\u00c9@X.DE", "\u200ejos\u00e9@x.de"],
  ["a@m\u00fcnchen.de", "a@xn--mnchen-3ya.de", "A@M\u00dcNCHEN.DE", "a@mu\u0308nchen.de"],
])("%s is one address in all its spellings", (first, ...others) => {
  for (const other of others) expect(emailKey(other)).toBe(emailKey(first));
});

test.each([
  ["jos\u00e9@x.de", "jose@x.de"],
  ["john\u00b2@x.de", "john2@x.de"],
  ["a@x.de", "a@y.de"],
])("%s and %s are two addresses", (a, b) => {
  expect(emailKey(a)).not.toBe(emailKey(b));
});

test.each([null, undefined, "", "  ", "\u200b", 7, "a\ud83d@x.de"])("%j is no address", (value) => {
  expect(emailKey(value)).toBeNull();
});

test.each([
  [
    "+49 30 123456",
    "0049 30 123456",
    "(0049) 30-123456",
    "011 49 30 123456",
    "\u202a+4930123456\u202c",
    "\u0660\u0660\u0664\u0669 30 123456",
    "\uff10\uff10\uff14\uff1930123456",
  ],
  ["+16782319992", "(678) 231-9992", "001 678 231 9992", "6782319992\u200b"],
])("%s is one number in all its spellings", (first, ...others) => {
  expect(phoneKey(first)).toMatch(/^\+/);
  for (const other of others) expect(phoneKey(other)).toBe(phoneKey(first));
});

test("what libphonenumber can't parse is known by its digits", () => {
  expect(phoneKey("7")).toBe("7");
  expect(phoneKey("ext. \u0667")).toBe("7");
  expect(phoneKey("none")).toBeNull();
  expect(phoneKey(null)).toBeNull();
});
