import { TOPICS, topicOf } from "../../shared/events/catalogue.ts";
import { DEFINITIONS, type Person, prose } from "./content.ts";
import type { Random } from "./random.ts";

/** One step of a lead's life: an event, or the erase, some milliseconds after the one before. */
export interface Step {
  readonly afterMs: number;
  readonly topic: string;
  /** Null value: the tombstone that erases the lead. */
  readonly event: string | null;
  readonly data: Record<string, unknown>;
}

export interface StoryOptions {
  readonly leadId: string;
  readonly person: Person;
  readonly events: number;
  readonly startMs: number;
}

const MINUTE = 60_000;
const HEAVY_LEAD = 1_000;

/** The events of one lead, in the order of their times, about as the platform's services write them. */
export function* leadStory(
  random: Random,
  { leadId, person, events, startMs }: StoryOptions,
): Generator<Step> {
  let now = startMs;
  const meanGap = events > HEAVY_LEAD ? MINUTE / 6 : 20 * MINUTE;
  const step = (
    event: string,
    data: Record<string, unknown>,
    afterMs = Math.ceil(random.gap(meanGap)),
  ): Step => {
    now += afterMs;
    return { afterMs, topic: topicOf(event) as string, event, data };
  };
  const at = () => new Date(now).toISOString();
  const items: string[] = [];
  const documents: string[] = [];
  const logs: string[] = [];
  const isTest = random.chance(0.03);

  const created = step(
    "lead.created",
    {
      id: leadId,
      assigneeType: random.pick(["HUMAN_AGENT", "AI_AGENT"]),
      ...person,
      createdAt: at(),
      updatedAt: at(),
      source: random.pick(["api", "inbound-email", "portal"]),
      ...(isTest ? { isTest } : {}),
    },
    0,
  );
  const assigned = step("checklist.assigned", { groups: checklist(random, items) }, 0);
  const welcome = step(
    "action_log.created",
    {
      id: random.uuid(),
      type: "API_ACTIVITY",
      status: "COMPLETED",
      summary: "Lead created",
      createdAt: at(),
    },
    1,
  );
  // Services publish on their own: sometimes a lead's checklist is there before the lead.
  yield* random.chance(0.1) ? [assigned, welcome, created] : [created, assigned, welcome];

  for (let written = 3; written < events; written++) {
    const what = random.fraction();
    if (what < 0.26) {
      yield step("checklist_item.updated", {
        id: random.pick(items),
        value: prose(random, random.integer(4, 40)),
        status: random.pick(["COMPLETED", "COMPLETED", "NEEDS_REVIEW", "INVALID", "TODO"]),
      });
    } else if (what < 0.64) {
      yield step("action_log.created", actionLog(random, at(), logs, documents));
    } else if (what < 0.74) {
      yield step("action_log.completed", {
        id: logs.length > 0 ? random.pick(logs) : random.uuid(),
        completedAt: at(),
        output: { ok: true, note: prose(random, 60) },
      });
    } else if (what < 0.82) {
      const id = random.uuid();
      documents.push(id);
      yield step("document.received", {
        id,
        filename: `${prose(random, 8).replaceAll(" ", "-")}.pdf`,
        mimeType: "application/pdf",
        size: random.integer(10_000, 5_000_000),
        storageKey: `documents/${leadId}/${id}.pdf`,
        metadata: null,
        createdAt: at(),
      });
    } else if (what < 0.9 && documents.length > 0) {
      yield step(...aboutDocument(random, random.pick(documents), items));
    } else {
      yield step(...aboutLead(random, at()));
    }
  }
  if (random.chance(0.003)) yield { afterMs: MINUTE, topic: TOPICS.lead, event: null, data: {} };
}

function checklist(random: Random, items: string[]): unknown[] {
  return ["Business Information", "Owner", "Documents"].slice(0, random.integer(1, 3)).map((name) => ({
    id: random.uuid(),
    name,
    conditions: null,
    items: Array.from({ length: random.integer(2, 5) }, () => {
      const id = random.uuid();
      items.push(id);
      const definition = random.pick(DEFINITIONS);
      const checklistItemId = `ci-${definition.code}`;
      return {
        id,
        checklistItemId,
        value: null,
        status: "TODO",
        itemOverride: null,
        checklistItem: {
          id: checklistItemId,
          ...definition,
          isRequired: random.chance(0.7),
          conditions: null,
        },
      };
    }),
  }));
}

function actionLog(random: Random, createdAt: string, logs: string[], documents: readonly string[]) {
  const type = random.pick([
    "MESSAGE",
    "MESSAGE",
    "FOLLOW_UP_MESSAGE",
    "TOOL_CALL",
    "API_ACTIVITY",
    "MANUAL_UPDATE",
  ]);
  const id = random.uuid();
  const parentActionId = type === "TOOL_CALL" && logs.length > 0 ? random.pick(logs) : null;
  logs.push(id);
  const common = { id, type, summary: prose(random, 40), createdAt, parentActionId };
  if (type === "TOOL_CALL") {
    const input = { toolType: "lookup", query: prose(random, 60) };
    const tool = { id: "tool_1", name: "lookup", description: "Looks things up" };
    return {
      ...common,
      status: "COMPLETED",
      input,
      output: { found: random.chance(0.5) },
      completedAt: createdAt,
      tool,
    };
  }
  if (type !== "MESSAGE" && type !== "FOLLOW_UP_MESSAGE") return { ...common, status: "COMPLETED" };
  const direction = type === "FOLLOW_UP_MESSAGE" || random.chance(0.5) ? "OUTBOUND" : "INBOUND";
  const channel = random.pick(["EMAIL", "SMS", "WhatsApp"]);
  const status = random.pick(["COMPLETED", "COMPLETED", "COMPLETED", "PENDING", "AWAITING_APPROVAL"]);
  const attached = documents.length > 0 && random.chance(0.2) ? [{ id: random.pick(documents) }] : [];
  const length = random.chance(0.01) ? 20_000 : random.integer(60, 900);
  return {
    ...common,
    status,
    input: { channel, direction },
    scheduledAt: status === "PENDING" ? createdAt : null,
    completedAt: status === "COMPLETED" ? createdAt : null,
    messages: [
      {
        id: random.uuid(),
        channel,
        direction,
        subject: prose(random, 20),
        body: prose(random, length),
        documents: attached,
      },
    ],
  };
}

function aboutDocument(
  random: Random,
  id: string,
  items: readonly string[],
): [string, Record<string, unknown>] {
  const what = random.fraction();
  if (what < 0.05) return ["document.deleted", { id }];
  if (what < 0.1) return ["document.unlinked", { id: `link-${id}` }];
  if (what < 0.5) {
    return [
      "document.linked",
      {
        id: `link-${id}`,
        leadChecklistItemId: random.pick(items),
        documentId: id,
        overallValid: random.chance(0.8),
        validationResult: { overallValid: true, validationResults: [{ isValid: true, ruleName: "recent" }] },
      },
    ];
  }
  return [
    "document.received",
    {
      id,
      filename: "again.pdf",
      mimeType: "application/pdf",
      size: random.integer(10_000, 90_000),
      storageKey: `documents/again/${id}.pdf`,
      metadata: { extractionStatus: "completed" },
    },
  ];
}

function aboutLead(random: Random, now: string): [string, Record<string, unknown>] {
  const what = random.fraction();
  if (what < 0.04) return ["lead.deleted", { deletedAt: now }];
  if (what < 0.07) return ["lead.restored", {}];
  if (what < 0.12) return ["lead.opted_out", { optOutAt: now }];
  if (what < 0.25) return ["lead.completed", { submittedAt: now }];
  if (what < 0.35) return ["lead.reopened", {}];
  return ["lead.updated", { activitySummary: prose(random, 120), updatedAt: now }];
}
