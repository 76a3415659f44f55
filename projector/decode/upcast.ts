import { DecodeError } from "./decode-error.ts";

type Envelope = Readonly<Record<string, unknown>>;

/** Brings an event's envelope from one schema version to the next. */
export type Upcast = (envelope: Envelope) => Envelope;

/** By event type: the first step brings version 1 to 2, the next one 2 to 3, and so on. */
export type Upcasters = Readonly<Record<string, readonly Upcast[]>>;

/** No event of the catalogue has a second version yet. */
export const UPCASTERS: Upcasters = {};

/**
 * Brings an event to the version that this program folds: one more than its type has steps.
 * @throws DecodeError unsupported_version for a newer one
 */
export function upcast(envelope: Envelope, upcasters: Upcasters): Envelope {
  const { event, schemaVersion = 1 } = envelope;
  // What is no version, or no type, is for the schema to refuse.
  if (typeof event !== "string" || typeof schemaVersion !== "number") return envelope;
  const steps = Object.hasOwn(upcasters, event) ? (upcasters[event] as readonly Upcast[]) : [];
  const newest = steps.length + 1;
  if (schemaVersion > newest) {
    throw new DecodeError(
      "unsupported_version",
      `schemaVersion ${schemaVersion} is newer than ${newest}, the newest this program reads; upgrade it, then retry`,
    );
  }
  if (steps.length === 0 || !(schemaVersion >= 1)) return envelope;
  const upcasted = steps.slice(schemaVersion - 1).reduce((older, step) => step(older), envelope);
  return { ...upcasted, schemaVersion: newest };
}
