import { createHash } from "node:crypto";
import { openStoreToRead } from "../../../projector/store/store.ts";

const LOOK_MS = 25;

interface Row {
  readonly leadId: string;
  readonly number: number;
  readonly body: Buffer | null;
}

/** Reads along like any reader, and counts numbers that went back, or that were seen with two contents. */
export function watchNumbers(config: { readonly databaseDir: string }) {
  const contents = new Map<number, string>();
  const latest = new Map<string, number>();
  const faults = new Set<string>();
  let seen = 0;
  const look = () => {
    let rows: Row[];
    try {
      const store = openStoreToRead(config);
      try {
        const select = "SELECT lead_id AS leadId, number, body FROM lead_view WHERE number > ?";
        // From a little before: what was seen is to be still the same.
        rows = store.db.prepare<[number], Row>(select).all(seen - 1_000_000);
      } finally {
        store.close();
      }
    } catch {
      return;
    }
    for (const { leadId, number, body } of rows) {
      const content = `${leadId} ${body === null ? "" : createHash("sha256").update(body).digest("hex")}`;
      if ((contents.get(number) ?? content) !== content) faults.add(`number ${number} has two contents`);
      if (number < (latest.get(leadId) ?? 0))
        faults.add(`${leadId} went back from ${latest.get(leadId)} to ${number}`);
      contents.set(number, content);
      latest.set(leadId, number);
      seen = Math.max(seen, number);
    }
  };
  const timer = setInterval(look, LOOK_MS);
  return {
    reused: (): number => {
      for (const fault of faults) console.error(fault);
      return faults.size;
    },
    stop: (): void => clearInterval(timer),
  };
}
