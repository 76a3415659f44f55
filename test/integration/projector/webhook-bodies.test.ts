// The platform's public webhook bodies as a history: what a workspace has that knows no other topics.

import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { createDecoder } from "../../../projector/decode/decode.ts";
import { createFileLog } from "../../../projector/source/file-log/file-log.ts";
import { openStore } from "../../../projector/store/store.ts";
import { deadLettersOf, foldLog, viewsOf } from "../../harness/projector.ts";

const FOLDER = fileURLToPath(new URL("../../fixtures/webhooks", import.meta.url));
const WORKSPACE = "6048d78a-584a-4f1e-9e39-e011ca4cc48c";

async function fold(webhookWorkspaceId: string | undefined) {
  const store = openStore(":memory:");
  const decoder = createDecoder({ maxEventBytes: 1_048_576, webhookWorkspaceId });
  await foldLog(store, createFileLog(FOLDER), { with: decoder });
  return store;
}

test("public webhook bodies become views", async () => {
  const store = await fold(WORKSPACE);
  expect(deadLettersOf(store)).toEqual([]);
  const views = viewsOf(store);
  const a = JSON.parse(views["50713355-df73-4077-9d84-dcda6da5729c"]?.body ?? "");
  expect(a.lead).toMatchObject({
    externalLeadId: "ext-lead-001",
    businessName: "Acme Incorporated",
    createdAt: "2025-10-31T18:00:00.000Z",
    updatedAt: "2025-10-31T18:30:00.000Z",
    submittedAt: "2025-10-31T20:00:00.000Z",
    workspaceId: WORKSPACE,
  });
  expect(a.status).toBe("COMPLETED");
  expect(a.checklistItems).toMatchObject([
    {
      id: "other",
      items: [
        {
          id: "lci-bank",
          documents: [{ filename: "vital-checking-june-25.pdf", validationResult: { status: "valid" } }],
        },
        { id: "lci-name", value: "Vital LLC" },
      ],
    },
  ]);
  expect(a.documents).toMatchObject([
    { type: "Bank Statement", leadChecklistItemDocument: [{ leadChecklistItemId: "lci-bank" }] },
  ]);
  expect(views["50713355-df73-4077-9d84-dcda6da5729c"]?.urlSlots.map(([, key]) => key)).toEqual([
    "documents/vital-checking-june-25.pdf",
    "documents/vital-checking-june-25.pdf",
  ]);
  expect(a.matchingLeads).toMatchObject([{ firstName: "Lea", matchedOn: ["phoneNumber"] }]);
  const b = JSON.parse(views["4cc8af99-b313-4c1f-b98b-009f38a4721a"]?.body ?? "");
  expect(b.actionLogs.map(({ status }: { status: string }) => status).sort()).toEqual([
    "COMPLETED",
    "FAILED",
  ]);
  expect(b.lastAction).toBeNull();
  store.close();
});

test("a body that names no workspace is a dead letter where none is configured", async () => {
  const store = await fold(undefined);
  const letters = deadLettersOf(store);
  expect(new Set(letters.map(({ code }) => code))).toEqual(new Set(["no_workspace"]));
  expect(letters[0]?.reason).toContain("WEBHOOK_WORKSPACE_ID");
  store.close();
});
