import { isObject } from "../../shared/events/exact-json.ts";

/** The fields of one entity as its events gave them: absent = never given, null = given as null. */
export type Fields = Readonly<Record<string, unknown>>;

/** The order of an entity's fields: the known ones as listed, then unknown ones by name (rule: field order). */
export interface Shape {
  readonly names: readonly string[];
  readonly children: ReadonlyMap<string, Shape>;
  /** Names that the view computes: an event's own value for them is dropped. */
  readonly computed: ReadonlySet<string>;
}

interface SchemaNode {
  readonly fields?: Readonly<Record<string, SchemaNode>>;
  readonly members?: readonly SchemaNode[];
  readonly schema?: SchemaNode;
  readonly value?: SchemaNode;
}

/**
 * The shape of an entity, from the Schema of the view: its struct, list or nullable fields become child shapes.
 * @param computed names of the Schema that no event gives
 * @param internal further names that are kept in the state and not shown
 */
export function shapeOf(
  schema: unknown,
  computed: readonly string[] = [],
  internal: readonly string[] = [],
): Shape {
  const fields = structOf(schema as SchemaNode)?.fields ?? {};
  const names = Object.keys(fields).filter((name) => !computed.includes(name));
  const children = new Map<string, Shape>();
  for (const name of names) {
    const child = structOf(fields[name] as SchemaNode);
    if (child) children.set(name, shapeOf(child));
  }
  return { names: [...names, ...internal], children, computed: new Set(computed) };
}

/** The struct below optional keys, nulls and lists; undefined where there is none. */
function structOf(schema: SchemaNode): SchemaNode | undefined {
  if (schema.fields) return schema;
  if (schema.schema) return structOf(schema.schema);
  if (schema.value) return structOf(schema.value);
  if (schema.members?.length === 2 && schema.members[0]) return structOf(schema.members[0]);
  return undefined;
}

/** The same fields in their shape's order, without the computed ones. */
export function arrange(shape: Shape, fields: Fields): Fields {
  const arranged: Record<string, unknown> = {};
  let found = 0;
  for (const name of shape.names) {
    const value = fields[name];
    if (value === undefined) continue;
    const child = shape.children.get(name);
    arranged[name] = child ? arrangeChild(child, value) : value;
    found++;
  }
  const given = Object.keys(fields);
  if (given.length > found) {
    for (const name of given.sort()) {
      if (!Object.hasOwn(arranged, name) && !shape.computed.has(name)) arranged[name] = fields[name];
    }
  }
  return arranged;
}

function arrangeChild(shape: Shape, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((element) => arrangeChild(shape, element));
  return isObject(value) ? arrange(shape, value) : value;
}

/** The JSON text of an arranged entity. */
export function render(shape: Shape, fields: Fields): string {
  // JavaScript moves names such as "7" to the front of every object; where there are any, order by hand.
  if (!hasIndexNames(shape, fields)) return JSON.stringify(fields);
  const names = Object.keys(fields);
  const known = shape.names.filter((name) => Object.hasOwn(fields, name));
  const unknown = names.filter((name) => !known.includes(name)).sort();
  const members = [...known, ...unknown].map((name) => {
    const child = shape.children.get(name);
    const value = fields[name];
    return `${JSON.stringify(name)}:${child ? renderChild(child, value) : JSON.stringify(value)}`;
  });
  return `{${members.join(",")}}`;
}

function renderChild(shape: Shape, value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((element) => renderChild(shape, element)).join(",")}]`;
  return isObject(value) ? render(shape, value) : JSON.stringify(value);
}

function hasIndexNames(shape: Shape, fields: Fields): boolean {
  for (const first in fields) {
    const unit = first.charCodeAt(0);
    if (unit >= 48 && unit <= 57) return true;
    break;
  }
  for (const [name, child] of shape.children) {
    const value = fields[name];
    if (Array.isArray(value)) {
      if (value.some((element) => isObject(element) && hasIndexNames(child, element))) return true;
    } else if (isObject(value) && hasIndexNames(child, value)) return true;
  }
  return false;
}

/** The members of an arranged entity before, and after, the place of a computed field, as JSON text without braces. */
export function renderAround(
  shape: Shape,
  fields: Fields,
  before: ReadonlySet<string>,
): readonly [string, string] {
  const head: Record<string, unknown> = {};
  const tail: Record<string, unknown> = {};
  for (const name in fields) (before.has(name) ? head : tail)[name] = fields[name];
  return [render(shape, head).slice(1, -1), render(shape, tail).slice(1, -1)];
}
