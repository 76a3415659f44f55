/** What steers a terminal, or turns text around: control characters, and bidirectional and line-separating ones. */
const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * A text of which no byte is a command to a terminal: what would be is written as JSON's escape, so that JSON stays the
 * JSON that it is. Line feeds are kept.
 */
export const printable = (text: string): string =>
  text.replace(UNSAFE, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** The same in one line. */
export const printableLine = (text: string): string => printable(text).replaceAll("\n", "\\n");

export type Cell = string | number | null;

/**
 * Rows below their headers, in columns two spaces apart; numbers to the right.
 * @param empty said in their place where there are no rows
 */
export function table(
  headers: readonly string[],
  rows: readonly (readonly Cell[])[],
  empty: string,
): string[] {
  if (rows.length === 0) return [empty];
  const texts = rows.map((row) => row.map((cell) => printableLine(cell === null ? "" : String(cell))));
  const widths = headers.map((header, column) =>
    Math.max(header.length, ...texts.map((row) => (row[column] ?? "").length)),
  );
  const isNumeric = headers.map((_, column) => rows.every((row) => typeof row[column] === "number"));
  return [headers, ...texts].map((row) =>
    row
      .map((text, column) =>
        isNumeric[column] ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
}

/** Facts of one thing, each in a line behind its name. */
export function facts(of: Readonly<Record<string, string | number>>): string[] {
  const width = Math.max(...Object.keys(of).map((name) => name.length));
  return Object.entries(of).map(([name, value]) => `${name.padEnd(width)}  ${printableLine(String(value))}`);
}
