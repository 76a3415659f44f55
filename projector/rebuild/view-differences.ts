import { isObject } from "../../shared/events/exact-json.ts";
import type { Connection } from "../../shared/sqlite.ts";

/** A lead whose view is not the same in two databases. */
export interface Difference {
  readonly leadId: string;
  readonly kind: "differs" | "only in the fresh fold" | "only in the serving views";
  readonly fresh: string | null;
  readonly serving: string | null;
}

interface Row {
  readonly leadId: string;
  readonly body: Buffer;
  readonly urlSlots: string | null;
}

const SELECT =
  "SELECT lead_id AS leadId, body, url_slots AS urlSlots FROM lead_view WHERE body IS NOT NULL ORDER BY lead_id";

/**
 * Compares all views of two databases, row by row, in the order of the leads' ids.
 * @param most how many differences are told in full
 */
export function viewDifferences(
  fresh: Connection,
  serving: Connection,
  most: number,
): { readonly views: number; readonly count: number; readonly first: readonly Difference[] } {
  const [ours, theirs] = [fresh, serving].map((db) => db.prepare<[], Row>(SELECT).iterate()) as [
    IterableIterator<Row>,
    IterableIterator<Row>,
  ];
  const first: Difference[] = [];
  let count = 0;
  let views = 0;
  const differ = (kind: Difference["kind"], a: Row | undefined, b: Row | undefined) => {
    count++;
    if (first.length >= most) return;
    const text = (row: Row | undefined) => row?.body.toString("utf8") ?? null;
    first.push({ leadId: (a ?? b)?.leadId ?? "", kind, fresh: text(a), serving: text(b) });
  };
  const next = (rows: IterableIterator<Row>): Row | undefined => {
    const { done, value } = rows.next();
    return done ? undefined : value;
  };
  let [a, b] = [next(ours), next(theirs)];
  while (a || b) {
    const order = !a ? 1 : !b ? -1 : Buffer.compare(Buffer.from(a.leadId), Buffer.from(b.leadId));
    if (order < 0) differ("only in the fresh fold", a, undefined);
    else if (order > 0) differ("only in the serving views", undefined, b);
    else if (a && b && !(a.body.equals(b.body) && a.urlSlots === b.urlSlots)) differ("differs", a, b);
    if (order <= 0) {
      views++;
      a = next(ours);
    }
    if (order >= 0) b = next(theirs);
  }
  return { views, count, first };
}

/** Where two views' JSON first differs, field by field: paths with both values, each shortened. */
export function diffLines(fresh: unknown, serving: unknown, path = "", most = 10): string[] {
  if (JSON.stringify(fresh) === JSON.stringify(serving)) return [];
  const both = [fresh, serving];
  if (
    both.every((value) => isObject(value) || Array.isArray(value)) &&
    Array.isArray(fresh) === Array.isArray(serving)
  ) {
    const [a, b] = both as [Record<string, unknown>, Record<string, unknown>];
    const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
    const lines = names.flatMap((name) => diffLines(a[name], b[name], `${path}/${name}`, most));
    return (lines.length > 0 ? lines : [`${path || "/"}: the order of the fields differs`]).slice(0, most);
  }
  return [`${path || "/"}: serving ${short(serving)}, fresh ${short(fresh)}`];
}

const short = (value: unknown): string =>
  value === undefined ? "(absent)" : JSON.stringify(value).slice(0, 80);
