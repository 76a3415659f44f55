/** Rows of a list on one page. */
export const PAGE = 20;

/** A part of a list, in the list's order. */
export interface Page<T> {
  readonly items: readonly T[];
  /** What the next page begins behind; null = this is the last one. */
  readonly next: string | null;
  /** Of the whole list. */
  readonly total: number;
}

/**
 * Makes a page of rows that were read.
 * @param rows PAGE + 1 of them where there are more
 * @param nameOf a row's name, which a page begins behind
 */
export function pageOf<Row, T>(
  rows: readonly Row[],
  total: number,
  nameOf: (row: Row) => string,
  shown: (row: Row) => T,
): Page<T> {
  const items = rows.slice(0, PAGE);
  const last = rows.length > PAGE ? items.at(-1) : undefined;
  return { items: items.map(shown), next: last === undefined ? null : nameOf(last), total };
}
