import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openStore } from "../../../projector/store/store.ts";
import { keysFile } from "../../../shared/config.ts";
import { viewFile } from "../../../shared/generation.ts";
import { createKey, openKeys } from "../../../shared/keys.ts";
import { openWriter } from "../../../shared/sqlite.ts";
import { SECTIONS } from "../../../shared/view/change.ts";
import { type BenchLead, benchLead, responseOf, WORKSPACE } from "./bench-leads.ts";

export interface Dataset {
  readonly leads: number;
  readonly bytes: number;
  readonly documents: number;
}

const AT_ONCE = 5_000;

/** Our database: one finished view a lead. Returns a key of its workspace, and the bytes of one body. */
export function fillViews(
  databaseDir: string,
  { leads, bytes, documents }: Dataset,
): { key: string; body: Buffer } {
  mkdirSync(databaseDir, { recursive: true });
  const store = openStore(viewFile({ databaseDir }));
  let body = Buffer.alloc(0);
  for (let from = 0; from < leads; from += AT_ONCE) {
    store.transaction((next) => {
      for (let index = from; index < Math.min(leads, from + AT_ONCE); index++) {
        const lead = benchLead(index, bytes, documents);
        const view = viewOf(lead);
        body = view.body;
        store.identities.put(view.id, WORKSPACE, identityOf(lead));
        store.views.insert(view.id, {
          workspaceId: WORKSPACE,
          number: next(),
          status: "IN_PROGRESS",
          sectionNumbers: "[]",
          sectionEnds: JSON.stringify(view.sectionEnds),
          sectionHashes: "",
          traceparent: null,
          urlSlots: view.urlSlots.length === 0 ? null : JSON.stringify(view.urlSlots),
          body: view.body,
        });
      }
    });
  }
  store.db.pragma("wal_checkpoint(TRUNCATE)");
  store.close();
  const keys = openKeys(keysFile({ databaseDir }));
  const key = createKey(keys, WORKSPACE, "bench");
  keys.close();
  return { key, body };
}

function viewOf(lead: BenchLead) {
  const response = responseOf(lead, (storageKey) => `\u0001${storageKey}\u0001`);
  const urlSlots: [number, string][] = [];
  const sectionEnds: number[] = [];
  let text = "";
  for (const name of SECTIONS) {
    text += `${text === "" ? "{" : ","}"${name}":`;
    for (const [index, piece] of JSON.stringify(response[name]).split("\\u0001").entries()) {
      if (index % 2 === 0) text += piece;
      else urlSlots.push([Buffer.byteLength(text), piece]);
    }
    sectionEnds.push(Buffer.byteLength(text));
  }
  return { id: lead.id, body: Buffer.from(`${text}}`), urlSlots, sectionEnds };
}

const identityOf = ({ id, lead }: BenchLead) => ({
  externalLeadId: null,
  emailKey: `${id}@example.com`,
  phoneKey: null,
  createdAt: String(lead.createdAt),
  matchable: 1,
  matches: 1,
  card: "{}",
});

/** The same leads in tables, as one would keep them to join at each request. */
export const TABLES = `
  CREATE TABLE leads (id TEXT PRIMARY KEY, workspace_id TEXT NOT NULL, record TEXT NOT NULL);
  CREATE TABLE checklist_groups (id TEXT PRIMARY KEY, lead_id TEXT NOT NULL, name TEXT, place INTEGER);
  CREATE TABLE checklist_items (id TEXT PRIMARY KEY, group_id TEXT NOT NULL, lead_id TEXT NOT NULL, place INTEGER, item TEXT NOT NULL);
  CREATE TABLE documents (id TEXT PRIMARY KEY, lead_id TEXT NOT NULL, storage_key TEXT, facts TEXT NOT NULL);
  CREATE TABLE action_logs (id TEXT PRIMARY KEY, lead_id TEXT NOT NULL, created_at TEXT NOT NULL, log TEXT NOT NULL);
  CREATE INDEX groups_of_lead ON checklist_groups (lead_id);
  CREATE INDEX items_of_lead ON checklist_items (lead_id);
  CREATE INDEX documents_of_lead ON documents (lead_id);
  CREATE INDEX logs_of_lead ON action_logs (lead_id, created_at DESC);`;

/** One lead as rows, by table. */
export function rowsOf({
  id,
  lead,
  groups,
  documents,
  logs,
}: BenchLead): [table: string, values: (string | number)[]][] {
  return [
    ["leads", [id, WORKSPACE, JSON.stringify(lead)]],
    ...groups.map((group, place): [string, (string | number)[]] => [
      "checklist_groups",
      [group.id, id, group.name, place],
    ]),
    ...groups.flatMap((group) =>
      group.items.map((item, place): [string, (string | number)[]] => [
        "checklist_items",
        [String(item.id), group.id, id, place, JSON.stringify(item)],
      ]),
    ),
    ...documents.map((one): [string, (string | number)[]] => [
      "documents",
      [one.id, id, one.storageKey, JSON.stringify(one.facts)],
    ]),
    ...logs.map((log): [string, (string | number)[]] => [
      "action_logs",
      [String(log.id), id, String(log.createdAt), JSON.stringify(log)],
    ]),
  ];
}

export function fillTables(folder: string, { leads, bytes, documents }: Dataset): void {
  const db = openWriter(join(folder, "tables.sqlite"));
  db.exec(TABLES);
  const inserts = new Map<string, { run(...values: unknown[]): unknown }>();
  for (let from = 0; from < leads; from += AT_ONCE) {
    db.transaction(() => {
      for (let index = from; index < Math.min(leads, from + AT_ONCE); index++) {
        for (const [table, values] of rowsOf(benchLead(index, bytes, documents))) {
          let insert = inserts.get(table);
          if (!insert) {
            insert = db.prepare(`INSERT INTO ${table} VALUES (${values.map(() => "?").join(", ")})`);
            inserts.set(table, insert);
          }
          insert.run(...values);
        }
      }
    })();
  }
  db.pragma("wal_checkpoint(TRUNCATE)");
  db.close();
}
