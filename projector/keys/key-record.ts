import type { Message } from "kafkajs";
import type { KeyChange } from "../../shared/keys.ts";
import type { SourceRecord } from "../source/source.ts";

// A key as a record of the topic of keys: under its hash in hexadecimal, what every node is to know of it; never the key
// itself. A revoked one stays in the topic for good, so that no older copy of a node's keys brings it back.

export const keyMessage = ({ hash, ...change }: KeyChange): Message => ({
  key: hash.toString("hex"),
  value: JSON.stringify(change),
  headers: { "content-type": "application/json" },
});

/** @throws Error saying why it is no key */
export function readKeyRecord({ key, value }: SourceRecord): KeyChange {
  const text = key?.toString("utf8") ?? "";
  if (!/^[0-9a-f]{64}$/.test(text)) throw new Error("its key is no SHA-256 in hexadecimal");
  const change = JSON.parse(value?.toString("utf8") ?? "null") as Omit<KeyChange, "hash"> | null;
  const hash = Buffer.from(text, "hex");
  if (change?.revoked === true) return { hash, revoked: true };
  const { workspaceId, name, expiresAt } = (change ?? {}) as Partial<Extract<KeyChange, { revoked: false }>>;
  const isKey =
    typeof workspaceId === "string" &&
    workspaceId !== "" &&
    typeof name === "string" &&
    (expiresAt === null || Number.isSafeInteger(expiresAt));
  if (!isKey) throw new Error("it does not say whose key it is");
  return { hash, revoked: false, workspaceId, name, expiresAt: expiresAt as number | null };
}
