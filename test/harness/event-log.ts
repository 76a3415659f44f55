import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { topicOf } from "../../shared/events/catalogue.ts";
import { WORKSPACE } from "./events.ts";

interface Spoken {
  readonly event: string;
  readonly data?: object;
  readonly leadId?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Absent = the one that owns the event. */
  readonly topic?: string;
}

/** A folder of the embedded event log, which a test writes to while a program follows it. */
export function openEventLog(folder: string) {
  const offsets = new Map<string, number>();
  return {
    /** Appends an event that was produced now, and returns its position: topic/partition/offset. */
    say({
      event,
      data = {},
      leadId = "lead-1",
      headers = {},
      topic = topicOf(event) as string,
    }: Spoken): string {
      const offset = offsets.get(topic) ?? 0;
      offsets.set(topic, offset + 1);
      const occurredAt = "2026-03-01T00:00:00Z";
      const value = { id: `e-${offset}`, event, occurredAt, workspaceId: WORKSPACE, leadId, data };
      const line = JSON.stringify({ key: leadId, timestamp: Date.now(), headers, value });
      mkdirSync(join(folder, topic), { recursive: true });
      appendFileSync(join(folder, topic, "0.ndjson"), `${line}\n`);
      return `${topic}/0/${offset}`;
    },
  };
}
