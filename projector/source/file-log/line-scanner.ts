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
