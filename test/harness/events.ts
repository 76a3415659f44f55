import type { SourceRecord } from "../../projector/source/source.ts";
import { topicOf } from "../../shared/events/catalogue.ts";

export const WORKSPACE = "ws-1";

export interface Spoken {
  readonly leadId?: string;
  readonly workspaceId?: string;
  readonly event: string;
  readonly data?: Record<string, unknown>;
}

/**
 * Makes records of events, each partition's offsets counting up from 0.
 * @param name begins the events' ids: two speakers to one lead have two names
 */
export function createSpeaker(name = "e") {
  const offsets = new Map<string, number>();
  let events = 0;
  const next = (topic: string, fields: Partial<SourceRecord>): SourceRecord => {
    const offset = offsets.get(topic) ?? 0;
    offsets.set(topic, offset + 1);
    return {
      topic,
      partition: 0,
      offset,
      key: Buffer.from("lead-1"),
      timestamp: 0,
      headers: {},
      value: null,
      ...fields,
    };
  };
  return {
    /** An event of the catalogue on its topic. */
    say({ leadId = "lead-1", workspaceId = WORKSPACE, event, data = {} }: Spoken): SourceRecord {
      const envelope = {
        id: `${name}-${++events}`,
        event,
        occurredAt: "2026-03-01T00:00:00.000Z",
        workspaceId,
        leadId,
        data,
      };
      const value = Buffer.from(JSON.stringify(envelope));
      return next(topicOf(event) as string, { key: Buffer.from(leadId), value });
    },
    /** Any record. */
    record: next,
  };
}
