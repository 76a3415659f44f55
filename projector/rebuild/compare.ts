import { isObject } from "../../shared/events/exact-json.ts";
import type { Connection } from "../../shared/sqlite.ts";

/** A lead whose view is not the same in two generations. */
export interface Difference {
  readonly leadId: string;
  readonly kind: "differs" | "only in the new" | "only in the serving";
  readonly mine: string | null;
  readonly theirs: string | null;
}

interface Candidate {
  readonly leadId: string;
  readonly theirs: number;
  readonly same: number;
}

export interface Reconciler {
  reconcile(): void;
  /** Takes over the serving generation's outbox, behind which stand only the views whose bytes differ. */
  takeOverChanges(): void;
  close(): void;
}

/**
 * Gives every view of a new generation its version (design.md section 8): the serving one's where the bytes are the
 * same, one more where they differ; so no reader sees a version go back. Done again, it looks only at what changed on
 * either side since, which is quick enough to be done under the serving generation's lock.
 * @param serving the serving generation's file
 */
export function createReconciler(db: Connection, serving: string): Reconciler {
  db.exec(
    "CREATE TEMP TABLE reconciled (lead_id TEXT PRIMARY KEY, theirs INTEGER, mine INTEGER) WITHOUT ROWID",
  );
  const attach = db.prepare("ATTACH ? AS serving");
  const setVersion = db.prepare<[number, string]>("UPDATE main.lead_view SET version = ? WHERE lead_id = ?");
  const note = db.prepare<[string, number, number]>(
    "INSERT OR REPLACE INTO temp.reconciled VALUES (?, ?, ?)",
  );
  /**
   * Works with the serving database at hand, for no longer than that: while it is attached, a commit of the new
   * generation would ask for the serving one's lock too, and never get it from whoever holds it for the exchange.
   */
  const besideServing = (work: () => void) => {
    const inOneTransaction = db.transaction(work);
    return () => {
      attach.run(serving);
      try {
        inOneTransaction();
      } finally {
        db.exec("DETACH serving");
      }
    };
  };
  return {
    reconcile: besideServing(() => {
      const candidates = db.prepare<[], Candidate>(
        `SELECT m.lead_id AS leadId, s.version AS theirs, m.body = s.body AND m.url_slots IS s.url_slots AS same
         FROM main.lead_view m JOIN serving.lead_view s ON s.lead_id = m.lead_id
         LEFT JOIN temp.reconciled r ON r.lead_id = m.lead_id
         WHERE r.lead_id IS NULL OR r.theirs <> s.version OR r.mine <> m.version`,
      );
      for (const { leadId, theirs, same } of candidates.all()) {
        const version = same === 1 ? theirs : theirs + 1;
        setVersion.run(version, leadId);
        note.run(leadId, theirs, version);
      }
    }),
    takeOverChanges: besideServing(() => {
      // A subscriber that read the serving outbox up to some number goes on from there; a rebuild does not flood it.
      db.exec(`DELETE FROM main.change; DELETE FROM main.relay;
        INSERT INTO main.change SELECT * FROM serving.change;
        INSERT INTO main.relay SELECT * FROM serving.relay;
        INSERT INTO main.sqlite_sequence (name, seq)
          SELECT 'change', 0 WHERE NOT EXISTS (SELECT 1 FROM main.sqlite_sequence WHERE name = 'change');
        UPDATE main.sqlite_sequence SET seq = (SELECT coalesce(max(seq), 0) FROM serving.sqlite_sequence
          WHERE name = 'change') WHERE name = 'change';
        CREATE TEMP TABLE differing AS
          SELECT m.lead_id, m.workspace_id, m.version, json_extract(CAST(m.body AS TEXT), '$.status') AS status
          FROM main.lead_view m LEFT JOIN temp.reconciled r ON r.lead_id = m.lead_id
          WHERE r.lead_id IS NULL OR r.mine <> r.theirs;
        DELETE FROM main.change WHERE lead_id IN (SELECT lead_id FROM temp.differing);
        INSERT INTO main.change (lead_id, workspace_id, version, status, section_seqs, section_ends)
          SELECT lead_id, workspace_id, version, status, '[]', '[]' FROM temp.differing;
        INSERT INTO main.change (lead_id, workspace_id, version, status, section_seqs, section_ends)
          SELECT s.lead_id, s.workspace_id, s.version + 1, NULL, '[]', '[]' FROM serving.lead_view s
          WHERE NOT EXISTS (SELECT 1 FROM main.lead_view m WHERE m.lead_id = s.lead_id)
          ON CONFLICT (lead_id) DO UPDATE SET seq = excluded.seq, version = excluded.version, status = NULL;
        DROP TABLE temp.differing`);
    }),
    close: () => void db.exec("DROP TABLE temp.reconciled"),
  };
}

/** The first differences between a generation's views and those of another file, and how many there are. */
export function differences(
  db: Connection,
  file: string,
  most: number,
): { readonly count: number; readonly first: Difference[] } {
  db.prepare("ATTACH ? AS serving").run(file);
  try {
    const from = `FROM (
      SELECT m.lead_id AS leadId, 'differs' AS kind, m.body AS mine, s.body AS theirs
      FROM main.lead_view m JOIN serving.lead_view s ON s.lead_id = m.lead_id
      WHERE m.body <> s.body OR m.url_slots IS NOT s.url_slots
      UNION ALL SELECT lead_id, 'only in the new', body, NULL FROM main.lead_view m
      WHERE NOT EXISTS (SELECT 1 FROM serving.lead_view s WHERE s.lead_id = m.lead_id)
      UNION ALL SELECT lead_id, 'only in the serving', NULL, body FROM serving.lead_view s
      WHERE NOT EXISTS (SELECT 1 FROM main.lead_view m WHERE m.lead_id = s.lead_id))`;
    const count = db.prepare<[], number>(`SELECT count(*) ${from}`).pluck().get() as number;
    const first = db
      .prepare<[number], Difference>(
        `SELECT leadId, kind, CAST(mine AS TEXT) AS mine, CAST(theirs AS TEXT) AS theirs ${from} ORDER BY leadId LIMIT ?`,
      )
      .all(most);
    return { count, first };
  } finally {
    db.exec("DETACH serving");
  }
}

/** Where two views' JSON first differs, field by field: paths with both values, each shortened. */
export function diffLines(mine: unknown, theirs: unknown, path = "", most = 10): string[] {
  if (JSON.stringify(mine) === JSON.stringify(theirs)) return [];
  const both = [mine, theirs];
  if (
    both.every((value) => isObject(value) || Array.isArray(value)) &&
    Array.isArray(mine) === Array.isArray(theirs)
  ) {
    const [a, b] = both as [Record<string, unknown>, Record<string, unknown>];
    const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
    const lines = names.flatMap((name) => diffLines(a[name], b[name], `${path}/${name}`, most));
    return (lines.length > 0 ? lines : [`${path || "/"}: the order of the fields differs`]).slice(0, most);
  }
  return [`${path || "/"}: serving ${short(theirs)}, fresh ${short(mine)}`];
}

const short = (value: unknown): string =>
  value === undefined ? "(absent)" : JSON.stringify(value).slice(0, 80);
