import { type Person, person } from "./content.ts";
import { leadStory, type Step } from "./lead-story.ts";
import { createRandom } from "./random.ts";

/** One record of a generated history, in the order of the history's times. */
export interface GeneratedRecord {
  readonly topic: string;
  readonly leadId: string;
  readonly workspaceId: string;
  readonly timestamp: number;
  /** The record's value as JSON text; null is a tombstone. */
  readonly value: string | null;
}

export interface HistoryOptions {
  readonly leads: number;
  readonly seed: number;
  /** How many workspaces the leads are of; absent = 5. */
  readonly workspaces?: number;
  /** Ends the history after so many records. */
  readonly records?: number;
}

const START = Date.parse("2026-01-05T08:00:00.000Z");
const LEAD_EVERY_MS = 20_000;
const WORKSPACES = 5;
const PLACEHOLDER_PHONE = "+15005550006";

/**
 * Generates a realistic history, record by record: most leads have 10 to 40 events, one in a thousand has 5,000;
 * some share a phone or an e-mail address with an earlier one, and some all have the same placeholder phone.
 */
export function* generateHistory({
  leads,
  seed,
  workspaces = WORKSPACES,
  records = Number.POSITIVE_INFINITY,
}: HistoryOptions): Generator<GeneratedRecord> {
  const random = createRandom(seed);
  const recent: Person[] = [];
  const active = createQueue();
  let started = 0;
  let written = 0;
  for (let nextStart = START; written < records; ) {
    while (started < leads && (active.first() === undefined || nextStart <= (active.first() as Active).at)) {
      const lead = startLead({ seed, workspaces, index: started++, startMs: nextStart, recent });
      active.push(lead);
      nextStart += Math.ceil(random.gap(LEAD_EVERY_MS));
    }
    const lead = active.pop();
    if (!lead) return;
    yield recordOf(lead, `${seed}-${written}`);
    written++;
    const { value: step } = lead.steps.next();
    if (step) active.push({ ...lead, at: lead.at + step.afterMs, step });
  }
}

interface Active {
  readonly leadId: string;
  readonly workspaceId: string;
  readonly at: number;
  readonly step: Step;
  readonly steps: Iterator<Step, undefined>;
}

interface Starting {
  readonly seed: number;
  readonly workspaces: number;
  readonly index: number;
  readonly startMs: number;
  readonly recent: Person[];
}

function startLead({ seed, workspaces, index, startMs, recent }: Starting): Active {
  const random = createRandom((seed * 2_654_435_761 + index * 40_503) >>> 0);
  const leadId = random.uuid();
  const fresh = person(random);
  const known = recent.length > 0 ? random.pick(recent) : fresh;
  const sharing = random.fraction();
  const shared =
    sharing < 0.08
      ? { phoneNumber: known.phoneNumber }
      : sharing < 0.14
        ? { email: known.email.toUpperCase() }
        : sharing < 0.15
          ? { phoneNumber: PLACEHOLDER_PHONE }
          : {};
  recent.push(fresh);
  if (recent.length > 500) recent.shift();
  const events = random.chance(0.001) ? 5_000 : random.integer(10, 40);
  const steps = leadStory(random, { leadId, person: { ...fresh, ...shared }, events, startMs });
  const first = steps.next().value as Step;
  return { leadId, workspaceId: `ws-${random.integer(1, workspaces)}`, at: startMs, step: first, steps };
}

function recordOf({ leadId, workspaceId, at, step }: Active, id: string): GeneratedRecord {
  const { topic, event, data } = step;
  const occurredAt = new Date(at).toISOString();
  const envelope = { id, event, schemaVersion: 1, occurredAt, workspaceId, leadId, data };
  return {
    topic,
    leadId,
    workspaceId,
    timestamp: at,
    value: event === null ? null : JSON.stringify(envelope),
  };
}

/** A binary heap of leads by the time of their next step. */
function createQueue() {
  const heap: Active[] = [];
  const swap = (a: number, b: number) => {
    [heap[a], heap[b]] = [heap[b] as Active, heap[a] as Active];
  };
  const at = (index: number) => heap[index]?.at ?? Number.POSITIVE_INFINITY;
  return {
    first: () => heap[0],
    push(lead: Active): void {
      heap.push(lead);
      for (let i = heap.length - 1; i > 0; ) {
        const parent = (i - 1) >> 1;
        if (at(parent) <= at(i)) break;
        swap(parent, i);
        i = parent;
      }
    },
    pop(): Active | undefined {
      const first = heap[0];
      const last = heap.pop();
      if (first === undefined || last === undefined || heap.length === 0) return first;
      heap[0] = last;
      for (let i = 0; ; ) {
        const child = at(2 * i + 1) <= at(2 * i + 2) ? 2 * i + 1 : 2 * i + 2;
        if (at(i) <= at(child)) break;
        swap(i, child);
        i = child;
      }
      return first;
    },
  };
}
