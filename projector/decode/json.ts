import { isUtf8 } from "node:buffer";
import { hasUnusualNumber, parseExactly } from "../../shared/events/exact-json.ts";
import { DecodeError } from "./decode-error.ts";

/** Levels of nesting; deeper JSON could not be written again by every runtime. */
const MAX_DEPTH = 100;

/** JSON that is safe to fold. */
export interface CheckedJson {
  readonly value: unknown;
  /** True where numbers or texts stand by their source (rule: digits). */
  readonly exact: boolean;
}

/**
 * Parses a record's bytes as JSON that is safe to fold.
 * @throws DecodeError not_utf8, not_json, and as `checkJson`
 */
export function parseBytes(bytes: Buffer): CheckedJson {
  if (!isUtf8(bytes)) throw new DecodeError("not_utf8", "the value is not UTF-8");
  const text = bytes.toString("utf8");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new DecodeError("not_json", "the value is not JSON");
  }
  return checkJson(text, value, parseExactly);
}

/**
 * Holds parsed JSON to what can be folded and written again, and keeps what a parse alone does not (rule: digits).
 * @param parse parses the text once more, exactly, down to the same value
 * @throws DecodeError prototype_key, too_deep
 */
export function checkJson(text: string, value: unknown, parse: (text: string) => unknown): CheckedJson {
  // Names and lone surrogates can only hide behind an escape: plain text is settled by three searches.
  const escaped = text.includes("\\u");
  const names = escaped || text.includes("__proto__") || text.includes('prototype"');
  const found = checkNode(value, 1, names, escaped);
  const exact = (found & LONE_SURROGATE) !== 0 || ((found & NUMBER) !== 0 && hasUnusualNumber(text));
  return { value: exact ? parse(text) : value, exact };
}

const NUMBER = 1;
const LONE_SURROGATE = 2;

/** @returns which of `NUMBER` and `LONE_SURROGATE` it met */
function checkNode(node: unknown, depth: number, names: boolean, surrogates: boolean): number {
  if (typeof node === "number") return NUMBER;
  if (typeof node === "string") return surrogates && !node.isWellFormed() ? LONE_SURROGATE : 0;
  if (typeof node !== "object" || node === null) return 0;
  if (depth > MAX_DEPTH)
    throw new DecodeError("too_deep", `the value is nested deeper than ${MAX_DEPTH} levels`);
  let found = 0;
  if (Array.isArray(node)) {
    for (const element of node) found |= checkNode(element, depth + 1, names, surrogates);
    return found;
  }
  if (names) checkNames(node);
  for (const name in node) {
    const member = (node as Record<string, unknown>)[name];
    if (typeof member === "object" || surrogates) found |= checkNode(member, depth + 1, names, surrogates);
    // The version, which most events have, is counted with and never passed on.
    else if (typeof member === "number" && (depth > 1 || name !== "schemaVersion")) found |= NUMBER;
  }
  return found;
}

function checkNames(node: object): void {
  if (Object.hasOwn(node, "__proto__"))
    throw new DecodeError("prototype_key", 'an object has the key "__proto__"');
  const inner = Object.hasOwn(node, "constructor")
    ? (node as { constructor: unknown }).constructor
    : undefined;
  if (typeof inner === "object" && inner !== null && Object.hasOwn(inner, "prototype")) {
    throw new DecodeError("prototype_key", 'an object has the keys "constructor"."prototype"');
  }
}
