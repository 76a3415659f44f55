import { isUtf8 } from "node:buffer";
import { DecodeError } from "./decode-error.ts";

/** Levels of nesting; deeper JSON could not be written again by every runtime. */
const MAX_DEPTH = 100;

/**
 * Parses a record's bytes as JSON that is safe to fold.
 * @throws DecodeError not_utf8, not_json, and as `checkJson`
 */
export function parseJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw new DecodeError("not_utf8", "the value is not UTF-8");
  const text = bytes.toString("utf8");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new DecodeError("not_json", "the value is not JSON");
  }
  checkJson(text, value);
  return value;
}

/**
 * Holds parsed JSON to what can be folded and written again byte for byte.
 * @throws DecodeError prototype_key, lone_surrogate, too_deep
 */
export function checkJson(text: string, value: unknown): void {
  // Names and lone surrogates can only hide behind an escape: plain text is settled by three searches.
  const escaped = text.includes("\\u");
  checkNode(value, 1, escaped || text.includes("__proto__") || text.includes('"constructor"'), escaped);
}

function checkNode(node: unknown, depth: number, names: boolean, surrogates: boolean): void {
  if (typeof node === "string") {
    if (surrogates && !node.isWellFormed())
      throw new DecodeError("lone_surrogate", "a string has a lone surrogate");
    return;
  }
  if (typeof node !== "object" || node === null) return;
  if (depth > MAX_DEPTH)
    throw new DecodeError("too_deep", `the value is nested deeper than ${MAX_DEPTH} levels`);
  if (Array.isArray(node)) {
    for (const element of node) checkNode(element, depth + 1, names, surrogates);
    return;
  }
  if (names) checkNames(node, surrogates);
  for (const name in node) {
    const member = (node as Record<string, unknown>)[name];
    if (typeof member === "object" || surrogates) checkNode(member, depth + 1, names, surrogates);
  }
}

function checkNames(node: object, surrogates: boolean): void {
  if (Object.hasOwn(node, "__proto__"))
    throw new DecodeError("prototype_key", 'an object has the key "__proto__"');
  const inner = Object.hasOwn(node, "constructor")
    ? (node as { constructor: unknown }).constructor
    : undefined;
  if (typeof inner === "object" && inner !== null && Object.hasOwn(inner, "prototype")) {
    throw new DecodeError("prototype_key", 'an object has the keys "constructor"."prototype"');
  }
  if (surrogates && !Object.keys(node).every((name) => name.isWellFormed())) {
    throw new DecodeError("lone_surrogate", "an object's key has a lone surrogate");
  }
}
