import { openReader } from "../../shared/sqlite.ts";
import { UNNUMBERED } from "../projection/commit.ts";
import type { FoldedBatch, FoldedLead } from "../projection/folded-batch.ts";
import type { Store } from "./store.ts";

export interface BulkOptions {
  /** Leads that are known to be erased. */
  readonly erased: readonly string[];
  /** The generation that serves, whose numbers most views will keep; undefined = there is none. */
  readonly servingFile: string | undefined;
  readonly failedAt: Date;
}

/** Fills an empty database: each row is written once, the indexes are made at the end, and nothing survives a crash. */
export interface Bulk {
  write(batch: FoldedBatch): void;
  /** @throws SqliteError where a lead came twice */
  finish(): void;
}

export function openBulk(store: Store, { erased, servingFile, failedAt }: BulkOptions): Bulk {
  const { db } = store;
  db.pragma("journal_mode = OFF");
  db.pragma("synchronous = OFF");
  db.pragma("temp_store = FILE");
  db.pragma("cache_size = -65536");
  const indexes = db
    .prepare<[], { name: string; sql: string }>(
      "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    )
    .all();
  for (const { name } of indexes) db.exec(`DROP INDEX "${name}"`);
  const lead = db.prepare(
    "INSERT INTO lead (lead_id, workspace_id, owner, state, seen) VALUES (?, ?, ?, ?, ?)",
  );
  const log = db.prepare(
    `INSERT INTO action_log (lead_no, id, created_at, "role", role_order, has_documents, log)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const identity = db.prepare("INSERT INTO lead_identity VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
  const view = db.prepare(
    `INSERT INTO lead_view (lead_id, workspace_id, number, status, section_numbers, section_ends, url_slots, body)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const letter = db.prepare(
    `INSERT INTO dead_letter (topic, "partition", "offset", "key", "timestamp", headers, value, code, reason, failed_at, lead_id)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const serving = servingFile === undefined ? undefined : openReader(servingFile);
  const numbered = serving?.prepare<[string], { number: number; sectionNumbers: string }>(
    "SELECT number, section_numbers AS sectionNumbers FROM lead_view WHERE lead_id = ? AND body IS NOT NULL",
  );
  db.exec("BEGIN");
  for (const leadId of erased) store.erased.add(leadId);

  const put = (one: FoldedLead) => {
    if (one.erased) store.erased.add(one.leadId);
    if (one.dropped > 0) store.erased.countDropped(one.leadId, one.dropped);
    for (const part of one.parts) {
      const [state, seen] = part.pieces;
      const { lastInsertRowid } = lead.run(
        one.leadId,
        part.workspaceId,
        part.workspaceId === one.owner ? 1 : 0,
        state?.content,
        seen?.content == null ? null : Buffer.from(seen.content, "latin1"),
      );
      for (const { id, createdAt, role, order, hasDocuments, text } of part.olderLogs)
        log.run(lastInsertRowid, id, createdAt, role, order, hasDocuments, text);
    }
    if (!one.identity || !one.view) return;
    const { externalLeadId, emailKey, phoneKey, createdAt, matchable, card } = one.identity;
    identity.run(
      one.leadId,
      one.owner,
      externalLeadId,
      emailKey,
      phoneKey,
      createdAt,
      matchable ? 1 : 0,
      card,
    );
    const { status, sectionEnds, urlSlots, body } = one.view;
    const { number = UNNUMBERED, sectionNumbers = "[]" } = numbered?.get(one.leadId) ?? {};
    const slots = urlSlots.length === 0 ? null : JSON.stringify(urlSlots);
    view.run(one.leadId, one.owner, number, status, sectionNumbers, JSON.stringify(sectionEnds), slots, body);
  };

  return {
    write({ leads, deadLetters, positions }) {
      for (const one of leads) put(one);
      for (const { record, code, reason, leadId } of deadLetters) {
        const { topic, partition, offset, key, timestamp, value } = record;
        letter.run(
          topic,
          partition,
          offset,
          key,
          timestamp,
          "{}",
          value,
          code,
          reason,
          failedAt.toISOString(),
          leadId,
        );
      }
      for (const position of positions) store.positions.put(position);
    },
    finish() {
      for (const { sql } of indexes) db.exec(sql);
      db.exec("COMMIT");
      serving?.close();
    },
  };
}
