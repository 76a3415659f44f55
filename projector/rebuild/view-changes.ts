import { isObject } from "../../shared/events/exact-json.ts";

/** What differs between two views of a lead, at one place. */
export interface ViewChange {
  /** Where: `lead.firstName`; what a list holds goes by its id: `actionLogs[log-1].status`. */
  readonly path: string;
  /** JSON, or its beginning where it is long; null where there was, or is, nothing. For "moved" the ids in their order. */
  readonly before: string | null;
  readonly after: string | null;
  readonly kind: "added" | "removed" | "changed" | "moved";
}

type Fields = Readonly<Record<string, unknown>>;

/** Characters of a value's JSON that are told. */
const MOST_SHOWN = 600;

/**
 * What changed from one view to the next: fields by name, what lists hold by its id, so that a list that got a new first
 * entry has one change.
 * @param before null = there was no view; likewise `after`
 */
export function viewChanges(before: unknown, after: unknown): ViewChange[] {
  const changes: ViewChange[] = [];
  compareFields("", (before ?? {}) as Fields, (after ?? {}) as Fields, changes);
  return changes;
}

function compare(path: string, before: unknown, after: unknown, changes: ViewChange[]): void {
  if (JSON.stringify(before) === JSON.stringify(after)) return;
  if (before === undefined) changes.push({ path, kind: "added", before: null, after: shown(after) });
  else if (after === undefined) changes.push({ path, kind: "removed", before: shown(before), after: null });
  else if (isObject(before) && isObject(after) && before.id === after.id)
    compareFields(path, before, after, changes);
  else if (hasIds(before) && hasIds(after)) compareLists(path, before, after, changes);
  else changes.push({ path, kind: "changed", before: shown(before), after: shown(after) });
}

function compareFields(path: string, before: Fields, after: Fields, changes: ViewChange[]): void {
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)]))
    compare(path === "" ? name : `${path}.${name}`, before[name], after[name], changes);
}

type Entry = Fields & { readonly id: string };

/** True for a list whose entries can be told apart by their ids. */
const hasIds = (list: unknown): list is readonly Entry[] =>
  Array.isArray(list) &&
  list.every((entry) => isObject(entry) && typeof entry.id === "string") &&
  new Set(list.map(({ id }) => id)).size === list.length;

function compareLists(
  path: string,
  before: readonly Entry[],
  after: readonly Entry[],
  changes: ViewChange[],
): void {
  const [earlier, later] = [before, after].map((list) => new Map(list.map((one) => [one.id, one])));
  const ids = new Set([...(later?.keys() ?? []), ...(earlier?.keys() ?? [])]);
  for (const id of ids) compare(`${path}[${id}]`, earlier?.get(id), later?.get(id), changes);
  const kept = (list: readonly Entry[], other: ReadonlyMap<string, Entry> | undefined) =>
    shown(list.map(({ id }) => id).filter((id) => other?.has(id)));
  const [was, is] = [kept(before, later), kept(after, earlier)];
  if (was !== is) changes.push({ path, kind: "moved", before: was, after: is });
}

function shown(value: unknown): string {
  const json = JSON.stringify(value);
  return json.length > MOST_SHOWN ? `${json.slice(0, MOST_SHOWN)}… (${json.length} characters)` : json;
}
