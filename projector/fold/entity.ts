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
  const { names, children } = shape;
  let found = 0;
  for (const name of names) {
    const value = fields[name];
    if (value === undefined) continue;
    const child = typeof value === "object" && value !== null ? children.get(name) : undefined;
    arranged[name] = child ? arrangeChild(child, value) : value;
    found++;
  }
  let given = 0;
  for (const _ in fields) given++;
  if (given > found) {
    for (const name of Object.keys(fields).sort()) {
      if (Object.hasOwn(arranged, name) || shape.computed.has(name)) continue;
      arranged[name] = fields[name];
      if (isDigit(name.charCodeAt(0))) metIndexNames = true;
    }
  }
  return arranged;
}

const isDigit = (unit: number): boolean => unit >= 48 && unit <= 57;

/** True where an arrangement met a name such as "7", which JavaScript moves to the front of every object. */
let metIndexNames = false;

function arrangeChild(shape: Shape, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((element) => arrangeChild(shape, element));
  return isObject(value) ? arrange(shape, value) : value;
}

/** The JSON text of an entity, its fields in their shape's order. */
export function render(shape: Shape, fields: Fields): string {
  metIndexNames = false;
  const arranged = arrange(shape, fields);
  return metIndexNames ? renderByHand(shape, arranged) : JSON.stringify(arranged);
}

/** Orders what JavaScript's own objects can't. */
function renderByHand(shape: Shape, arranged: Fields): string {
  const known = shape.names.filter((name) => Object.hasOwn(arranged, name));
  const isKnown = new Set(known);
  const unknown = Object.keys(arranged)
    .filter((name) => !isKnown.has(name))
    .sort();
  const members = [...known, ...unknown].map((name) => {
    const child = shape.children.get(name);
    const value = arranged[name];
    return `${JSON.stringify(name)}:${child ? renderChild(child, value) : JSON.stringify(value)}`;
  });
  return `{${members.join(",")}}`;
}

function renderChild(shape: Shape, value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((element) => renderChild(shape, element)).join(",")}]`;
  return isObject(value) ? renderByHand(shape, value) : JSON.stringify(value);
}

/** The members of an entity before, and after, the place of a computed field, as JSON text without braces. */
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
