import { createRequire } from "node:module";
import type { IHeaders } from "kafkajs";
import type { Headers, HeaderValue } from "../source.ts";

// kafkajs reads headers into, and writes them from, a plain object, which Kafka's headers are not: any name may stand
// there, several times, with bytes or with null.

type One = string | Buffer | null;

/** A message's headers as they were produced. */
export const headersOfMessage = (headers: IHeaders | undefined): Headers =>
  headers === undefined
    ? NO_HEADERS
    : Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, producedValue(value)]));

const NO_HEADERS: Headers = {};

/** What an object inherits, such as `toString`, kafkajs takes for the first of several values of that name. */
function producedValue(value: IHeaders[string]): HeaderValue {
  if (!Array.isArray(value)) return value ?? null;
  const produced = (value as unknown[]).filter((one) => one === null || Buffer.isBuffer(one)) as One[];
  return produced.length === 1 ? (produced[0] as One) : produced;
}

/** Stands for a null in a header: as long as nothing, and known by itself. */
const NULL = Buffer.alloc(0);

/** Headers as kafkajs can write them, byte for byte. */
export const messageHeaders = (headers: Headers): IHeaders =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.map((one: One) => one ?? NULL) : ((value as One) ?? NULL),
    ]),
  );

interface EncoderClass {
  readonly prototype: { writeVarIntBytes(value: unknown): unknown };
}

/** Teaches kafkajs to write a null into a header, for whose length it asks as if it were bytes. */
export function registerNullHeaders(): void {
  const { prototype } = createRequire(import.meta.url)("kafkajs/src/protocol/encoder.js") as EncoderClass;
  const { writeVarIntBytes } = prototype;
  prototype.writeVarIntBytes = function (this: unknown, value) {
    return writeVarIntBytes.call(this, value === NULL ? null : value);
  };
}
