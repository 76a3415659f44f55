-- The outbox, one row a lead: the number of its view's latest change. A reader that knows the number it read last finds
-- every lead that changed since, in order; however long it was away, the table never grows beyond one row a lead.
CREATE TABLE change (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  lead_id TEXT NOT NULL UNIQUE, workspace_id TEXT NOT NULL, version INTEGER NOT NULL,
  -- The view's status; null where the lead was erased.
  status TEXT,
  -- JSON: for each field of the view, in its order, the number of its latest change, and where its bytes end.
  section_seqs TEXT NOT NULL, section_ends TEXT NOT NULL
) STRICT;
CREATE INDEX change_workspace ON change (workspace_id, seq);

-- How far each relay has published.
CREATE TABLE relay (name TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;

INSERT INTO change (lead_id, workspace_id, version, status, section_seqs, section_ends)
  SELECT lead_id, workspace_id, version, json_extract(CAST(body AS TEXT), '$.status'), '[]', '[]' FROM lead_view;
