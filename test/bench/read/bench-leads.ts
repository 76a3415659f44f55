import { prose } from "../../generate/content.ts";
import { createRandom } from "../../generate/random.ts";

/** What one lead of the benchmark holds: the same facts for our view and for the tables that others would join. */
export interface BenchLead {
  readonly id: string;
  readonly lead: Record<string, unknown>;
  readonly groups: readonly {
    readonly id: string;
    readonly name: string;
    readonly items: readonly Record<string, unknown>[];
  }[];
  readonly documents: readonly {
    readonly id: string;
    readonly storageKey: string;
    readonly facts: Record<string, unknown>;
  }[];
  readonly logs: readonly Record<string, unknown>[];
}

export const WORKSPACE = "ws-bench";

/** Lead number `index`, with a view of about so many bytes. */
export function benchLead(index: number, bytes: number, documents: number): BenchLead {
  const random = createRandom(index + 1);
  const id = leadIdOf(index);
  const createdAt = new Date(1_767_225_600_000 + index * 1_000).toISOString();
  const logBytes = bytes > 20_000 ? 1_500 : 350;
  const logs = Math.max(1, Math.round((bytes - 2_600 - documents * 350) / (logBytes + 250)));
  return {
    id,
    lead: {
      id,
      activitySummary: prose(random, 80),
      assigneeType: "AI_AGENT",
      businessName: "Café Réfrigération",
      createdAt,
      deletedAt: null,
      didOptOut: false,
      email: `${id}@example.com`,
      emailVerifiedAt: null,
      externalLeadId: null,
      externalPortalLink: null,
      firstName: "María",
      isTest: false,
      lastName: "Peña",
      phoneNumber: "+16782319992",
      phoneVerifiedAt: null,
      source: "api",
      submittedAt: null,
      updatedAt: createdAt,
      website: null,
      workspaceId: WORKSPACE,
    },
    groups: ["Business Information", "Owner"].map((name, group) => ({
      id: `${id}-g${group}`,
      name,
      items: Array.from({ length: 4 }, (_, item) => ({
        id: `${id}-i${group}${item}`,
        checklistItemId: `ci-${item}`,
        value: prose(random, 20),
        status: "COMPLETED",
        itemOverride: null,
        checklistItem: {
          id: `ci-${item}`,
          code: "code",
          label: "A label",
          fieldType: "TEXT",
          isRequired: true,
          conditions: null,
        },
      })),
    })),
    documents: Array.from({ length: documents }, (_, document) => ({
      id: `${id}-d${document}`,
      storageKey: `documents/${id}/${document}.pdf`,
      facts: {
        id: `${id}-d${document}`,
        filename: "statement.pdf",
        mimeType: "application/pdf",
        size: 123_456,
        metadata: null,
        createdAt,
      },
    })),
    logs: Array.from({ length: logs }, (_, log) => ({
      id: `${id}-l${log}`,
      type: "MESSAGE",
      status: "COMPLETED",
      summary: "A message",
      createdAt: new Date(Date.parse(createdAt) + log * 60_000).toISOString(),
      input: { channel: "EMAIL", direction: "OUTBOUND" },
      messages: [
        {
          id: `${id}-m${log}`,
          channel: "EMAIL",
          direction: "OUTBOUND",
          subject: "Hello",
          body: prose(random, logBytes),
          documents: [],
        },
      ],
    })),
  };
}

export const leadIdOf = (index: number): string => `bench-lead-${index}`;

/** The response that a lead's tables are joined to; URLs as given. */
export function responseOf(lead: BenchLead, urlOf: (storageKey: string) => string): Record<string, unknown> {
  const logs = [...lead.logs].reverse().slice(0, 100);
  return {
    lead: lead.lead,
    status: "IN_PROGRESS",
    checklistItems: lead.groups.map(({ id, name, items }) => ({ id, name, conditions: null, items })),
    documents: lead.documents.map(({ facts, storageKey }) => ({
      ...facts,
      signedUrl: urlOf(storageKey),
      leadChecklistItemDocument: [],
    })),
    actionLogs: logs,
    matchingLeads: [],
    lastAction: logs[0] ? { ...logs[0], toolCalls: [] } : null,
    nextFollowUp: null,
    nextDraft: null,
  };
}
