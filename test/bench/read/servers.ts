// The servers that the read benchmark compares, each a process of its own:
// limit FILE | sqlite-join FOLDER | postgres-join PORT
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import Fastify from "fastify";
import pg from "pg";
import { openReader } from "../../../shared/sqlite.ts";

const [kind, argument] = process.argv.slice(2) as [string, string];
const port = Number(process.env.PORT);

interface Rows {
  readonly leads: readonly { record: string }[];
  readonly groups: readonly { id: string; name: string }[];
  readonly items: readonly { group_id: string; item: string }[];
  readonly documents: readonly { storage_key: string; facts: string }[];
  readonly logs: readonly { log: string }[];
}

const QUERIES: Record<keyof Rows, string> = {
  leads: "SELECT record FROM leads WHERE id = $1",
  groups: "SELECT id, name FROM checklist_groups WHERE lead_id = $1 ORDER BY place",
  items: "SELECT group_id, item FROM checklist_items WHERE lead_id = $1 ORDER BY group_id, place",
  documents: "SELECT storage_key, facts FROM documents WHERE lead_id = $1",
  logs: "SELECT log FROM action_logs WHERE lead_id = $1 ORDER BY created_at DESC LIMIT 100",
};
const NAMES = Object.keys(QUERIES) as (keyof Rows)[];

/** What a handler does with its rows: build the response's object, for the framework to serialize. */
function respond({ leads, groups, items, documents, logs }: Rows): object | undefined {
  if (!leads[0]) return undefined;
  const parsed = logs.map(({ log }) => JSON.parse(log));
  return {
    lead: JSON.parse(leads[0].record),
    status: "IN_PROGRESS",
    checklistItems: groups.map(({ id, name }) => ({
      id,
      name,
      conditions: null,
      items: items.filter((item) => item.group_id === id).map(({ item }) => JSON.parse(item)),
    })),
    documents: documents.map(({ facts, storage_key }) => ({
      ...JSON.parse(facts),
      signedUrl: storage_key,
      leadChecklistItemDocument: [],
    })),
    actionLogs: parsed,
    matchingLeads: [],
    lastAction: parsed[0] ? { ...parsed[0], toolCalls: [] } : null,
    nextFollowUp: null,
    nextDraft: null,
  };
}

function sqliteJoin(folder: string) {
  const db = openReader(join(folder, "tables.sqlite"));
  const statements = NAMES.map((name) => [name, db.prepare(QUERIES[name].replace("$1", "?"))] as const);
  return (id: string) =>
    respond(
      Object.fromEntries(statements.map(([name, statement]) => [name, statement.all(id)])) as unknown as Rows,
    );
}

function postgresJoin(postgresPort: number) {
  const pool = new pg.Pool({
    host: "127.0.0.1",
    port: postgresPort,
    user: "bench",
    database: "postgres",
    max: 10,
  });
  return async (id: string) => {
    const results = await Promise.all(
      NAMES.map(
        async (name) => [name, (await pool.query({ name, text: QUERIES[name], values: [id] })).rows] as const,
      ),
    );
    return respond(Object.fromEntries(results) as unknown as Rows);
  };
}

if (kind === "limit") {
  // The limit: Node's own server, sending the same buffer to everyone.
  const body = readFileSync(argument);
  createServer((_request, response) => {
    response.writeHead(200, {
      "content-type": "application/json; charset=utf-8",
      "content-length": body.length,
    });
    response.end(body);
  }).listen(port, "127.0.0.1");
} else {
  const read = kind === "sqlite-join" ? sqliteJoin(argument) : postgresJoin(Number(argument));
  const server = Fastify();
  server.get<{ Params: { id: string } }>("/api/v1/leads/:id", async (request, reply) => {
    if (request.headers["x-api-key"] === undefined) return reply.code(401).send();
    const lead = await read(request.params.id);
    return lead ?? reply.code(404).send();
  });
  await server.listen({ port, host: "127.0.0.1" });
}
