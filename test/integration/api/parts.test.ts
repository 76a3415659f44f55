// The platform's sibling reads, and finding leads.
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openApi } from "../../harness/api.ts";
import { contractBreach } from "../../harness/contract.ts";
import { createSpeaker } from "../../harness/events.ts";

let api: ReturnType<typeof openApi>;
let speaker: ReturnType<typeof createSpeaker>;
beforeEach(() => {
  api = openApi();
  speaker = createSpeaker();
});
afterEach(() => api.close());

const tell = (leadId: string, event: string, data: Record<string, unknown> = {}, workspaceId = "ws-1") =>
  api.projector.foldBatch([speaker.say({ leadId, event, data, workspaceId })]);

/** Asks in the next turn: the projector commits in this one. */
async function ask(path: string, headers: Record<string, string> = {}, method: "GET" | "HEAD" = "GET") {
  await new Promise((resolve) => setImmediate(resolve));
  return api.server.inject({ method, url: path, headers: { "x-api-key": api.key, ...headers } });
}
const PARTS = { checklist: "checklistItems", documents: "documents", "action-logs": "actionLogs" } as const;

function fill() {
  tell("lead-1", "lead.created", {
    firstName: "Zoë",
    email: "Zoe@Example.com",
    phoneNumber: "+16782319992",
    externalLeadId: "x-1",
  });
  tell("lead-1", "checklist.assigned", {
    groups: [
      {
        id: "g",
        name: "Ünï",
        conditions: null,
        items: [{ id: "i", status: "TODO", checklistItem: { id: "ci", fieldType: "FILE" } }],
      },
    ],
  });
  tell("lead-1", "document.received", { id: "d", filename: "é.pdf", storageKey: "ws-1/é.pdf" });
  tell("lead-1", "document.linked", { id: "l", leadChecklistItemId: "i", documentId: "d" });
  tell("lead-1", "action_log.created", {
    id: "a",
    messages: [{ id: "m", body: "Ω".repeat(2_000), documents: [{ id: "d" }] }],
  });
}

test("each part is the view's field as a bare array, URLs signed, and keeps to the document", async () => {
  fill();
  const view = (await api.get("lead-1")).json();
  for (const [path, field] of Object.entries(PARTS)) {
    const answer = await ask(`/api/v1/leads/lead-1/${path}`);
    expect(answer.json()).toEqual(view[field]);
    expect(answer.body).toContain("https://demo-signer.invalid/");
    expect(answer.headers["content-length"]).toBe(String(answer.rawPayload.length));
    expect(contractBreach(`/api/v1/leads/{leadId}/${path}`, answer)).toBeUndefined();
    const head = await ask(`/api/v1/leads/lead-1/${path}`, {}, "HEAD");
    expect([head.body, head.headers["content-length"], head.headers.etag]).toEqual([
      "",
      answer.headers["content-length"],
      answer.headers.etag,
    ]);
    const foreign = await ask(`/api/v1/leads/lead-1/${path}`, { "x-api-key": api.otherKey });
    expect(foreign.statusCode).toBe(404);
  }
});

test("a lead without any has empty arrays", async () => {
  tell("bare", "lead.created");
  for (const path of Object.keys(PARTS)) expect((await ask(`/api/v1/leads/bare/${path}`)).body).toBe("[]");
});

test("a part's tag changes when the part does, and not when another one does", async () => {
  fill();
  const tags = async () =>
    Promise.all(
      Object.keys(PARTS).map(async (path) => (await ask(`/api/v1/leads/lead-1/${path}`)).headers.etag),
    );
  const before = await tags();
  tell("lead-1", "lead.updated", { firstName: "New" });
  expect(await tags()).toEqual(before);
  tell("lead-1", "checklist_item.updated", { id: "i", status: "COMPLETED" });
  const after = await tags();
  expect(after.map((tag, index) => tag === before[index])).toEqual([false, true, true]);
  const url = "/api/v1/leads/lead-1/checklist";
  expect((await ask(url, { "if-none-match": String(after[0]) })).statusCode).toBe(304);
  expect((await ask(url, { "if-none-match": String(before[0]) })).statusCode).toBe(200);
  const gzip = await ask("/api/v1/leads/lead-1/action-logs", { "accept-encoding": "GZIP" });
  expect(JSON.parse(gunzipSync(gzip.rawPayload).toString())).toHaveLength(1);
  expect(gzip.headers.etag).toBe(`${String(after[2]).slice(0, -1)}+gzip"`);
});

const found = async (query: string, headers: Record<string, string> = {}) => {
  const answer = await ask(`/api/v1/leads?${query}`, headers);
  expect(contractBreach("/api/v1/leads", answer)).toBeUndefined();
  return answer.json().leads.map(({ lead }: { lead: { id: string } }) => lead.id);
};
/** Matching leads' views change with each other: their order is another test's. */
const foundSet = async (query: string) => (await found(query)).sort();

test("leads are found by their identities, however these are written, by status and by all of them", async () => {
  fill();
  tell("lead-2", "lead.created", { email: "zoe@example.com", externalLeadId: "x-2" });
  tell("lead-2", "lead.completed");
  tell("lead-3", "lead.created", { phoneNumber: "(678) 231-9992" });
  tell("foreign", "lead.created", { email: "zoe@example.com", externalLeadId: "x-1" }, "ws-2");
  expect(await found("externalLeadId=x-1")).toEqual(["lead-1"]);
  expect(await foundSet("email=%20ZOE@example.com")).toEqual(["lead-1", "lead-2"]);
  expect(await foundSet("phoneNumber=678-231-9992")).toEqual(["lead-1", "lead-3"]);
  expect(await found("phoneNumber=%2B16782319992&email=zoe@example.com")).toEqual(["lead-1"]);
  expect(await found("status=COMPLETED")).toEqual(["lead-2"]);
  expect(await found("email=zoe@example.com&status=IN_PROGRESS")).toEqual(["lead-1"]);
  expect(await foundSet("")).toEqual(["lead-1", "lead-2", "lead-3"]);
  expect(await found("externalLeadId=x-1", { "x-api-key": api.otherKey })).toEqual(["foreign"]);
  const [first] = (await ask("/api/v1/leads?externalLeadId=x-1")).json().leads;
  const { lead, status } = (await api.get("lead-1")).json();
  expect(first).toEqual({ lead, status });
  // An erased lead is found no more, and a changed address only as it is now.
  api.projector.foldBatch([speaker.record("omni.lead", { key: Buffer.from("lead-3") })]);
  tell("lead-1", "lead.updated", { email: "new@example.com" });
  expect(await foundSet("")).toEqual(["lead-1", "lead-2"]);
  expect(await found("email=zoe@example.com")).toEqual(["lead-2"]);
});

test("pages go on where the page before ended, newest change first", async () => {
  const ids = Array.from({ length: 25 }, (_, index) => `lead-${index}`);
  for (const id of ids) tell(id, "lead.created", { email: "same@example.com" });
  for (const query of ["", "&status=IN_PROGRESS", "&email=same@example.com"]) {
    const seen: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const answer = await ask(`/api/v1/leads?limit=10${query}${cursor === "" ? "" : `&cursor=${cursor}`}`);
      const page = answer.json();
      seen.push(...page.leads.map(({ lead }: { lead: { id: string } }) => lead.id));
      cursor = page.nextCursor;
    }
    expect(seen).toHaveLength(25);
    expect(new Set(seen).size).toBe(25);
  }
  tell("lead-3", "lead.updated", { activitySummary: "New" });
  expect(await found("limit=1")).toEqual(["lead-3"]);
});

test.each([
  "limit=0",
  "limit=101",
  "limit=x",
  "cursor=x",
  "cursor=0",
  "status=NOPE",
  "email=",
  "phoneNumber=",
  "externalLeadId=",
  "nope=1",
])("a query of %j is refused", async (query) => {
  const answer = await ask(`/api/v1/leads?${query}`);
  expect(answer.statusCode).toBe(400);
  expect(contractBreach("/api/v1/leads", answer)).toBeUndefined();
});
