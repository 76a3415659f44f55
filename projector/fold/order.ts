/**
 * Orders text by code point, as SQLite orders its UTF-8 bytes, so that memory and database agree; JavaScript's own
 * order, by UTF-16 unit, puts U+10000 and above before U+E000.
 */
export function byCodePoint(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above all that one unit can hold. */
const rank = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);

/** Orders by a time, then by id; an entity without the time stands last. */
export function byTimeThenId(timeA: unknown, idA: string, timeB: unknown, idB: string): number {
  const a = typeof timeA === "string" ? timeA : "~";
  const b = typeof timeB === "string" ? timeB : "~";
  if (a !== b) return a < b ? -1 : 1;
  return byCodePoint(idA, idB);
}
