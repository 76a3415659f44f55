import fc from "fast-check";
import { TOPICS } from "../../shared/events/catalogue.ts";
import { type OracleOutcome, oracleOutcome } from "../oracle/oracle.ts";
import { type HistoryEntry, history } from "../properties/arbitrary-history.ts";
import type { Outside } from "./outside.ts";
import { MAX_EVENT_BYTES } from "./simulation.ts";

/** Records that are no events. */
export const JUNK = [
  "bytes",
  "no JSON",
  "too large",
  "unreadable",
  "unknown event",
  "wrong topic",
  "another key",
  "tombstone without a key",
  "tombstone on another topic",
] as const;
export type Junk = (typeof JUNK)[number];

interface Said {
  /** Topic, partition and offset. */
  readonly position: string;
  readonly leadId: string;
  /** Undefined = it is no event; null erases. */
  readonly event: Record<string, unknown> | null | undefined;
  /** The leads whose erase forgets its dead letter. */
  readonly speaksOf: readonly string[];
}

/** What the views have to be in the end, from all that was said. */
export interface Expected extends OracleOutcome {
  /** Positions. */
  readonly deadLetters: readonly string[];
}

/** The log as others write it, with what the oracle makes of it. */
export class Log {
  readonly said: Said[] = [];
  readonly erased = new Set<string>();
  /** How often each lead was begun again under another id. */
  readonly #lives = new Map<number, number>();
  readonly #partitions = new Map<string, number>();
  #partitionCount = 2;
  readonly #outside: Outside;
  #ids = 0;

  constructor(outside: Outside) {
    this.#outside = outside;
  }

  leadId(lead: number): string {
    const life = this.#lives.get(lead) ?? 0;
    return life === 0 ? `lead-${lead}` : `lead-${lead}.${life}`;
  }

  /** From now on this lead goes by another id. */
  begin(lead: number): void {
    this.#lives.set(lead, (this.#lives.get(lead) ?? 0) + 1);
  }

  /** Leads that are new from now on may be in one more partition. */
  addPartition(): void {
    this.#partitionCount = Math.min(this.#partitionCount + 1, 5);
  }

  append(entry: HistoryEntry, lead: number): void {
    const leadId = this.leadId(lead);
    if (entry.event === null) {
      this.erase(leadId);
      return;
    }
    const { event, workspaceId, data } = entry.event as { event: string; workspaceId: string; data: object };
    const field = CANARY_FIELDS[/^[a-z_]+/.exec(event)?.[0] ?? ""];
    const marked = field === undefined ? data : { ...data, [field]: canaryOf(leadId, workspaceId) };
    const whole = { ...entry.event, leadId, data: marked };
    this.#put(entry.topic, leadId, Buffer.from(JSON.stringify(whole)), {
      leadId,
      event: normalized(whole),
      speaksOf: [leadId],
    });
  }

  erase(leadId: string): void {
    this.erased.add(leadId);
    this.#put(TOPICS.lead, leadId, null, { leadId, event: null, speaksOf: [leadId] });
  }

  junk(what: Junk, lead: number, other: number): void {
    const leadId = this.leadId(lead);
    const otherId = lead === other ? `${leadId}.other` : this.leadId(other);
    const data = { firstName: canaryOf(leadId, "ws-1") };
    const event = {
      id: `junk-${this.#ids++}`,
      event: "lead.updated",
      occurredAt: "2026-03-01T00:00:00.000Z",
      workspaceId: "ws-1",
      leadId,
      data,
    };
    const json = (value: object) => Buffer.from(JSON.stringify(value));
    const no = { leadId, event: undefined, speaksOf: [leadId] };
    const large = { ...data, lastName: "x".repeat(MAX_EVENT_BYTES) };
    if (what === "bytes")
      this.#put(TOPICS.lead, leadId, Buffer.concat([json(data), Buffer.from([0xff])]), no);
    else if (what === "no JSON")
      this.#put(TOPICS.document, leadId, Buffer.from(`{"a":${data.firstName}`), no);
    else if (what === "too large") this.#put(TOPICS.lead, leadId, json({ ...event, data: large }), no);
    else if (what === "unreadable") this.#put(TOPICS.checklist, leadId, json(data), no, "cut short");
    else if (what === "unknown event")
      this.#put(TOPICS.lead, leadId, json({ ...event, event: "lead.x" }), no);
    else if (what === "wrong topic") this.#put(TOPICS.actionLog, leadId, json(event), no);
    else if (what === "another key")
      this.#put(TOPICS.lead, otherId, json(event), { ...no, leadId: otherId, speaksOf: [leadId, otherId] });
    else if (what === "tombstone without a key") this.#put(TOPICS.lead, null, null, { ...no, speaksOf: [] });
    else this.#put(TOPICS.document, leadId, null, no);
  }

  #put(
    topic: string,
    key: string | null,
    value: Buffer | null,
    said: Omit<Said, "position">,
    unreadable?: string,
  ): void {
    const place = key ?? "";
    const partition = this.#partitions.get(place) ?? hashOf(place) % this.#partitionCount;
    this.#partitions.set(place, partition);
    const record = this.#outside.append({
      topic,
      partition,
      key: key === null ? null : Buffer.from(key),
      headers: {},
      value,
      ...(unreadable === undefined ? {} : { unreadable }),
    });
    this.said.push({ ...said, position: `${topic}/${partition}/${record.offset}` });
  }

  expected(discarded: ReadonlySet<string>): Expected {
    const events = this.said.filter(({ event }) => event !== undefined);
    const outcome = oracleOutcome(events.map(({ leadId, event }) => ({ leadId, event: event ?? null })));
    const erased = new Set(outcome.erased);
    const refused = outcome.refused.map((index) => events[index] as Said);
    const letters = [...refused, ...this.said.filter(({ event }) => event === undefined)]
      .filter(({ speaksOf }) => !speaksOf.some((leadId) => erased.has(leadId)))
      .map(({ position }) => position)
      .filter((position) => !discarded.has(position));
    return { ...outcome, deadLetters: letters.sort() };
  }
}

/** What is in a person's events, and after an erase in nothing any more. */
export const canaryOf = (leadId: string, workspaceId: string): string => `cnr<${leadId}>of<${workspaceId}>`;
export const canaryStart = (leadId: string): string => `cnr<${leadId}>`;
export const foreignCanary = (workspaceId: string): string => `>of<${workspaceId}>`;

const CANARY_FIELDS: Readonly<Record<string, string>> = {
  lead: "businessName",
  document: "filename",
  action_log: "summary",
};

/** The event as the decoder reads it: after a trip through JSON, each number by its own digits. */
const normalized = (event: object): Record<string, unknown> =>
  JSON.parse(JSON.stringify(event), (_name, value, { source }) =>
    typeof value === "number" ? JSON.rawJSON(source as string) : value,
  ) as Record<string, unknown>;

const hashOf = (text: string): number =>
  [...text].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) as number)) >>> 0, 7);

const HISTORIES = 12;

/** Entries of arbitrary histories, as the property tests have them. */
export const entriesOf = (seed: number): HistoryEntry[] =>
  fc.sample(history, { seed, numRuns: HISTORIES }).flat();
