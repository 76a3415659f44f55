/** What the head of a line says, where it stands as this program writes it. */
export interface LineHead {
  readonly offset: number;
  readonly keyStart: number;
  /** The byte behind the key's last one. */
  readonly keyEnd: number;
}

const OFFSET = Buffer.from('{"offset":');
const KEY = Buffer.from(',"key":"');
const [QUOTE, BACKSLASH, ZERO, NINE, COMMA] = [0x22, 0x5c, 0x30, 0x39, 0x2c];
const MOST_DIGITS = 15;

/**
 * Reads the head of a line that begins with `{"offset":N,"key":"K",` without spaces, its key without escapes: every line
 * that this program wrote.
 * @returns undefined for any other line
 */
export function headOf(chunk: Buffer, start: number, end: number): LineHead | undefined {
  if (!standsAt(chunk, start, OFFSET)) return undefined;
  const digits = start + OFFSET.length;
  let at = digits;
  let offset = 0;
  for (let byte = chunk[at] as number; byte >= ZERO && byte <= NINE; byte = chunk[++at] as number)
    offset = offset * 10 + byte - ZERO;
  // JSON has no number that begins with a further zero.
  if (at === digits || at - digits > MOST_DIGITS || (chunk[digits] === ZERO && at > digits + 1))
    return undefined;
  if (!standsAt(chunk, at, KEY)) return undefined;
  const keyStart = at + KEY.length;
  for (at = keyStart; at < end; at++) {
    const byte = chunk[at] as number;
    if (byte === BACKSLASH || byte < 0x20) return undefined;
    if (byte === QUOTE) return chunk[at + 1] === COMMA ? { offset, keyStart, keyEnd: at } : undefined;
  }
  return undefined;
}

function standsAt(chunk: Buffer, at: number, text: Buffer): boolean {
  for (let i = 0; i < text.length; i++) if (chunk[at + i] !== text[i]) return false;
  return true;
}

/**
 * Finds the bytes of one member of the JSON object that a line holds, without parsing the rest: the value as it was
 * written, which JSON.parse does not keep. The line is known to be valid JSON. The last of equal names counts, as
 * it does for JSON.parse.
 * @returns undefined where there is no such member
 */
export function memberText(line: string, name: string): string | undefined {
  const quoted = JSON.stringify(name);
  let found: string | undefined;
  let at = skipSpace(line, line.indexOf("{") + 1);
  while (line[at] === '"') {
    const nameEnd = stringEnd(line, at);
    const isIt = line.slice(at, nameEnd) === quoted;
    const valueStart = skipSpace(line, line.indexOf(":", nameEnd) + 1);
    const valueEnd = endOfValue(line, valueStart);
    if (isIt) found = line.slice(valueStart, valueEnd);
    at = skipSpace(line, valueEnd);
    if (line[at] !== ",") break;
    at = skipSpace(line, at + 1);
  }
  return found;
}

function endOfValue(line: string, start: number): number {
  if (line[start] === '"') return stringEnd(line, start);
  let depth = 0;
  for (let at = start; at < line.length; at++) {
    const character = line[at];
    if (character === '"') at = stringEnd(line, at) - 1;
    else if (character === "{" || character === "[") depth++;
    else if (character === "}" || character === "]") {
      depth--;
      if (depth === 0) return at + 1;
      if (depth < 0) return trimEnd(line, start, at);
    } else if (character === "," && depth === 0) return trimEnd(line, start, at);
  }
  return line.length;
}

function stringEnd(line: string, start: number): number {
  for (let at = start + 1; ; at++) {
    if (line[at] === "\\") at++;
    else if (line[at] === '"') return at + 1;
  }
}

function skipSpace(line: string, start: number): number {
  let at = start;
  while (isSpace(line[at])) at++;
  return at;
}

function trimEnd(line: string, start: number, end: number): number {
  let at = end;
  while (at > start && isSpace(line[at - 1])) at--;
  return at;
}

const isSpace = (character: string | undefined): boolean =>
  character === " " || character === "\t" || character === "\r" || character === "\n";
