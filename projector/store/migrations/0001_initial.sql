-- Facts of this database file. "epoch" is drawn once, so that an ETag of another file's version never matches.
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta (name, value) VALUES ('epoch', lower(hex(randomblob(6))));
-- Counts commits: a process that did not see the last one has folded from a state that is gone.
INSERT INTO meta (name, value) VALUES ('turn', '0');

-- Where to go on in each partition; moves in the same transaction as what was folded.
CREATE TABLE position (
  topic TEXT NOT NULL, "partition" INTEGER NOT NULL, next_offset INTEGER NOT NULL, cursor TEXT,
  PRIMARY KEY (topic, "partition")
) STRICT, WITHOUT ROWID;

-- Records that are not events, or that contradict the state, byte for byte as they came.
CREATE TABLE dead_letter (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  topic TEXT NOT NULL, "partition" INTEGER NOT NULL, "offset" INTEGER NOT NULL,
  "key" BLOB, "timestamp" INTEGER NOT NULL, headers TEXT NOT NULL, value BLOB,
  code TEXT NOT NULL, reason TEXT NOT NULL, failed_at TEXT NOT NULL, published INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX dead_letter_position ON dead_letter (topic, "partition", "offset");
CREATE INDEX dead_letter_key ON dead_letter ("key");
CREATE INDEX dead_letter_unpublished ON dead_letter (id) WHERE published = 0;

-- One row for each workspace that spoke of a lead. "owner" = 1 on the part of the workspace that created it:
-- only that one is shown, and only that one has the columns that leads are matched by.
CREATE TABLE lead (
  no INTEGER PRIMARY KEY,
  lead_id TEXT NOT NULL, workspace_id TEXT NOT NULL,
  owner INTEGER NOT NULL, email_key TEXT, phone_key TEXT, created_at TEXT, matchable INTEGER NOT NULL, card TEXT,
  state TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX lead_part ON lead (lead_id, workspace_id);
CREATE INDEX lead_email ON lead (workspace_id, email_key) WHERE email_key IS NOT NULL;
CREATE INDEX lead_phone ON lead (workspace_id, phone_key) WHERE phone_key IS NOT NULL;

-- Erased leads never come back: what arrives for them later is dropped and counted.
CREATE TABLE erased (lead_id TEXT PRIMARY KEY, dropped INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- A log's finished JSON, found by recency or by role (projector/assemble/log-role.ts) without reading the others.
CREATE TABLE action_log (
  lead_no INTEGER NOT NULL, id TEXT NOT NULL, created_at TEXT NOT NULL,
  "role" TEXT, role_order TEXT, has_documents INTEGER NOT NULL, log TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX action_log_id ON action_log (lead_no, id);
CREATE INDEX action_log_recent ON action_log (lead_no, created_at, id);
CREATE INDEX action_log_role ON action_log (lead_no, "role", role_order, id) WHERE "role" IS NOT NULL;

-- What the API reads: one row a lead.
CREATE TABLE lead_view (
  lead_id TEXT NOT NULL, workspace_id TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL, url_slots TEXT
) STRICT;
-- With the version, so that two generations can be compared without reading bodies that did not change.
CREATE UNIQUE INDEX lead_view_id ON lead_view (lead_id, version);
