import type { Connection } from "../../shared/sqlite.ts";
import {
  type ChangeRow,
  SECTIONS,
  SELECT_CHANGES,
  SELECT_WORKSPACE_CHANGES,
} from "../../shared/view/change.ts";

interface Known {
  readonly seqs: string;
  readonly ends: string;
}

/** What a view was before it was written again. */
export interface Former {
  readonly version: number;
  readonly body: Buffer;
}

/** The outbox: one row a lead, written in the transaction of the view's own change (design.md section 9). */
export function createChanges(db: Connection) {
  const last = db
    .prepare<[], number>("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'change'")
    .pluck();
  const known = db.prepare<[string], Known>(
    "SELECT section_seqs AS seqs, section_ends AS ends FROM change WHERE lead_id = ?",
  );
  const forget = db.prepare<[string]>("DELETE FROM change WHERE lead_id = ?");
  const insert = db.prepare(
    `INSERT INTO change (seq, lead_id, workspace_id, version, status, section_seqs, section_ends, traceparent)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const after = db.prepare<[number, number], ChangeRow>(SELECT_CHANGES);
  const ofWorkspace = db.prepare<[string, number, number], ChangeRow>(SELECT_WORKSPACE_CHANGES);
  const published = db.prepare<[string], number>("SELECT seq FROM relay WHERE name = ?").pluck();
  const markPublished = db.prepare(
    "INSERT INTO relay VALUES (?, ?) ON CONFLICT DO UPDATE SET seq = excluded.seq",
  );
  const waiting = db.prepare<[number], number>("SELECT count(*) FROM change WHERE seq > ?").pluck();
  const waitingOf = db
    .prepare<[string, number], number>("SELECT count(*) FROM change WHERE workspace_id = ? AND seq > ?")
    .pluck();
  return {
    /** Notes that a view is new, or another one than before. */
    changed(
      {
        leadId,
        workspaceId,
        version,
        status,
        traceparent,
      }: Pick<ChangeRow, "leadId" | "workspaceId" | "version" | "status" | "traceparent">,
      body: Buffer,
      sectionEnds: readonly number[],
      former: Former | undefined,
    ): void {
      const seq = (last.get() as number) + 1;
      const before = former && known.get(leadId);
      const seqs = sectionSeqs(seq, body, sectionEnds, former, before);
      if (before) forget.run(leadId);
      insert.run(
        seq,
        leadId,
        workspaceId,
        version,
        status,
        JSON.stringify(seqs),
        JSON.stringify(sectionEnds),
        traceparent,
      );
    },
    /** Notes that a lead was erased: of it only the id is kept. */
    erased(leadId: string, workspaceId: string, version: number, traceparent: string | null): void {
      forget.run(leadId);
      insert.run((last.get() as number) + 1, leadId, workspaceId, version, null, "[]", "[]", traceparent);
    },
    after: (seq: number, most: number): ChangeRow[] => after.all(seq, most),
    ofWorkspace: (workspaceId: string, seq: number, most: number): ChangeRow[] =>
      ofWorkspace.all(workspaceId, seq, most),
    /** The number of the latest change. */
    last: (): number => last.get() as number,
    published: (relay: string): number => published.get(relay) ?? 0,
    markPublished: (relay: string, seq: number): void => void markPublished.run(relay, seq),
    waiting: (seq: number): number => waiting.get(seq) as number,
    /** The same of one workspace. */
    waitingOf: (workspaceId: string, seq: number): number => waitingOf.get(workspaceId, seq) as number,
  };
}

/** Each section's own number: the new one where its bytes are not those of before. */
function sectionSeqs(
  seq: number,
  body: Buffer,
  ends: readonly number[],
  former: Former | undefined,
  known: Known | undefined,
): number[] {
  const oldSeqs = known ? (JSON.parse(known.seqs) as number[]) : [];
  const oldEnds = known ? (JSON.parse(known.ends) as number[]) : [];
  return SECTIONS.map((_, index) => {
    const [oldSeq, oldEnd, end] = [oldSeqs[index], oldEnds[index], ends[index]];
    if (!former || oldSeq === undefined || oldEnd === undefined || end === undefined) return seq;
    const start = index === 0 ? 0 : (ends[index - 1] as number);
    const oldStart = index === 0 ? 0 : (oldEnds[index - 1] as number);
    const same = body.subarray(start, end).equals(former.body.subarray(oldStart, oldEnd));
    return same ? oldSeq : seq;
  });
}
