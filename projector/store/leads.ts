import type { Connection } from "../../shared/sqlite.ts";

/** The rows of a part's state have numbers below this; together with the part's own number they are the rows' keys. */
export const PIECES_OF_A_PART = 2 ** 19;

/** A stored part of a lead: what one workspace's events said of it. */
export interface PartRow {
  readonly no: number;
  readonly workspaceId: string;
  /** 1 on the part of the workspace that created the lead. */
  readonly owner: number;
}

export interface PieceRow {
  readonly piece: number;
  readonly content: string;
}

/** The state of leads: a row for each workspace that spoke of one, and the pieces of what it said. */
export function createLeads(db: Connection) {
  const parts = db.prepare<[string], PartRow>(
    "SELECT no, workspace_id AS workspaceId, owner FROM lead WHERE lead_id = ? ORDER BY no",
  );
  const numberOf = db
    .prepare<[string, string], number>("SELECT no FROM lead WHERE lead_id = ? AND workspace_id = ?")
    .pluck();
  const insert = db.prepare<[string, string, number]>(
    "INSERT INTO lead (lead_id, workspace_id, owner) VALUES (?, ?, ?)",
  );
  const own = db.prepare<[number]>("UPDATE lead SET owner = 1 WHERE no = ? AND owner = 0");
  const removePart = db.prepare<[number]>("DELETE FROM lead WHERE no = ?");
  const pieces = db.prepare<[number, number, number], PieceRow>(
    "SELECT place - ? AS piece, content FROM lead_piece WHERE place BETWEEN ? AND ? ORDER BY place",
  );
  const putPiece = db.prepare<[number, string | Buffer]>(
    "INSERT INTO lead_piece VALUES (?, CAST(? AS TEXT)) ON CONFLICT DO UPDATE SET content = excluded.content",
  );
  const insertPiece = db.prepare<[number, string | Buffer]>(
    "INSERT INTO lead_piece VALUES (?, CAST(? AS TEXT))",
  );
  const removePiece = db.prepare<[number]>("DELETE FROM lead_piece WHERE place = ?");
  const removePieces = db.prepare<[number, number]>("DELETE FROM lead_piece WHERE place BETWEEN ? AND ?");
  const placeOf = (no: number, piece = 0): number => no * PIECES_OF_A_PART + piece;
  return {
    parts: (leadId: string): PartRow[] => parts.all(leadId),
    numberOf: (leadId: string, workspaceId: string): number | undefined => numberOf.get(leadId, workspaceId),
    /** @returns the part's number */
    insert: (leadId: string, workspaceId: string, isOwner: boolean): number =>
      Number(insert.run(leadId, workspaceId, isOwner ? 1 : 0).lastInsertRowid),
    /** Makes the part the one that is shown. */
    own: (no: number): void => void own.run(no),
    /** A part's pieces, in the order of their numbers. */
    pieces: (no: number): PieceRow[] => pieces.all(placeOf(no), placeOf(no), placeOf(no + 1) - 1),
    /** @param content a text, or its UTF-8 */
    putPiece: (no: number, piece: number, content: string | Buffer): void =>
      void putPiece.run(placeOf(no, piece), content),
    /** For a piece that is not there yet. */
    insertPiece: (no: number, piece: number, content: string | Buffer): void =>
      void insertPiece.run(placeOf(no, piece), content),
    removePiece: (no: number, piece: number): void => void removePiece.run(placeOf(no, piece)),
    /** Removes a part with its pieces. */
    remove(no: number): void {
      removePieces.run(placeOf(no), placeOf(no + 1) - 1);
      removePart.run(no);
    },
  };
}
