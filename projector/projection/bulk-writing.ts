import { openReader } from "../../shared/sqlite.ts";
import { openBulk } from "../store/bulk.ts";
import type { Store } from "../store/store.ts";
import type { FoldedBatch, FoldedLead, FoldedView } from "./folded-batch.ts";
import { createMatching, identityRow, sharingLeads } from "./matching.ts";
import { putMatching } from "./write-view.ts";
import { UNNUMBERED } from "./writing.ts";

export interface BulkOptions {
  /** Leads that are known to be erased. */
  readonly erased: readonly string[];
  /** The generation that serves, whose numbers most views keep; undefined = there is none. */
  readonly servingFile: string | undefined;
  readonly failedAt: Date;
}

/**
 * The writing half of a build: it fills an empty database with whole leads, each once. Views have the numbers of the serving
 * generation's, which hold where their bytes are the same: a comparison has to follow.
 */
export interface BulkWriting {
  write(batch: FoldedBatch): void;
  /** @throws SqliteError where a lead came twice */
  index(): void;
  /** Puts the matching leads into the views. */
  finish(): void;
}

export function createBulkWriting(store: Store, { erased, servingFile, failedAt }: BulkOptions): BulkWriting {
  const bulk = openBulk(store);
  const serving = servingFile === undefined ? undefined : openReader(servingFile);
  const numbered = serving?.prepare<[string], { readonly number: number; readonly sectionNumbers: string }>(
    "SELECT number, section_numbers AS sectionNumbers FROM lead_view WHERE lead_id = ? AND status IS NOT NULL",
  );
  for (const leadId of erased) store.erased.add(leadId);

  const writeView = (leadId: string, workspaceId: string, view: FoldedView) => {
    const { number = UNNUMBERED, sectionNumbers = "[]" } = numbered?.get(leadId) ?? {};
    const { status, body, sectionEnds, sectionHashes, urlSlots } = view;
    bulk.view(leadId, {
      workspaceId,
      number,
      status,
      sectionNumbers,
      sectionEnds: JSON.stringify(sectionEnds),
      sectionHashes,
      traceparent: null,
      urlSlots: urlSlots.length === 0 ? null : JSON.stringify(urlSlots),
      body,
    });
  };

  const writeLead = ({ leadId, erased: isErased, dropped, owner, parts, identity, view }: FoldedLead) => {
    if (isErased) store.erased.add(leadId);
    if (dropped > 0) store.erased.countDropped(leadId, dropped);
    for (const { workspaceId, pieces, olderLogs } of parts) {
      const no = bulk.lead(leadId, workspaceId, workspaceId === owner);
      for (const { piece, content } of pieces) if (content !== null) bulk.piece(no, piece, content);
      for (const log of olderLogs) bulk.log(no, log);
    }
    if (owner === null || !identity || !view) return;
    bulk.identity(leadId, owner, identityRow(identity));
    writeView(leadId, owner, view);
  };

  return {
    write({ leads, deadLetters, positions }) {
      for (const lead of leads) writeLead(lead);
      for (const letter of deadLetters) bulk.letter(letter, failedAt);
      for (const position of positions) store.positions.put(position);
    },
    index() {
      serving?.close();
      bulk.letters();
      bulk.index();
    },
    finish() {
      const matching = createMatching(store);
      for (const leadId of sharingLeads(store)) putMatching(store, leadId, matching(leadId));
      bulk.end();
    },
  };
}
