-- Facts of this database: "number" is the last number that a change was given, "fold_version" the rules that its views
-- are made by, "shard" the part of all workspaces that it has, "superseded" (once another generation serves) that one's
-- number, "unscrubbed" says that leads were erased and the file was not rewritten since, "replica" that the views were read
-- from the topic of views and not folded here.
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta (name, value) VALUES ('number', '0');

-- Where to go on in each partition; moves in the same transaction as what was folded. The last folded record's offset
-- and hash say whether a log is the one that was folded; "cursor" is the source's own note of the place.
CREATE TABLE position (
  topic TEXT NOT NULL, "partition" INTEGER NOT NULL, next_offset INTEGER NOT NULL,
  last_offset INTEGER, last_hash TEXT, cursor TEXT,
  PRIMARY KEY (topic, "partition")
) STRICT, WITHOUT ROWID;

-- Records that are not events, or that contradict the state, byte for byte as they came. "lead_id" is the lead that one
-- spoke of, where that is known.
CREATE TABLE dead_letter (
  topic TEXT NOT NULL, "partition" INTEGER NOT NULL, "offset" INTEGER NOT NULL,
  "key" BLOB, "timestamp" INTEGER NOT NULL, headers TEXT NOT NULL, value BLOB,
  code TEXT NOT NULL, reason TEXT NOT NULL, failed_at TEXT NOT NULL, lead_id TEXT, published INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX dead_letter_position ON dead_letter (topic, "partition", "offset");
CREATE INDEX dead_letter_lead ON dead_letter (lead_id) WHERE lead_id IS NOT NULL;
CREATE INDEX dead_letter_key ON dead_letter ("key") WHERE "key" IS NOT NULL;
CREATE INDEX dead_letter_unpublished ON dead_letter (topic, "partition", "offset") WHERE published = 0;

-- Dead letters that an operator discarded: a rebuild does not bring them back.
CREATE TABLE discarded (
  topic TEXT NOT NULL, "partition" INTEGER NOT NULL, "offset" INTEGER NOT NULL,
  PRIMARY KEY (topic, "partition", "offset")
) STRICT, WITHOUT ROWID;

-- A lead, one row for each workspace that spoke of it. "owner" = 1 on the part of the workspace that created it: only that
-- one is shown.
CREATE TABLE lead (
  no INTEGER PRIMARY KEY, lead_id TEXT NOT NULL, workspace_id TEXT NOT NULL, owner INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX lead_part ON lead (lead_id, workspace_id);

-- The state of a part, cut into pieces so that an event writes what it touches (projector/projection/pieces.ts). "place" is
-- the part's number * 2^19 + the piece's: a part's pieces stand side by side and need no index.
CREATE TABLE lead_piece (place INTEGER PRIMARY KEY, content TEXT NOT NULL) STRICT;

-- What a created lead is found and matched by, in small rows that are written only where one of these changes. "matchable"
-- is 0 for a deleted or a test lead, which others' views don't list; "matches" is 0 for a test lead, whose view lists none.
CREATE TABLE lead_identity (
  lead_id TEXT NOT NULL, workspace_id TEXT NOT NULL, external_lead_id TEXT, email_key TEXT, phone_key TEXT,
  created_at TEXT, matchable INTEGER NOT NULL, matches INTEGER NOT NULL, card TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX lead_identity_id ON lead_identity (lead_id);
CREATE INDEX lead_identity_external ON lead_identity (workspace_id, external_lead_id)
  WHERE external_lead_id IS NOT NULL;
CREATE INDEX lead_identity_email ON lead_identity (workspace_id, email_key) WHERE email_key IS NOT NULL;
CREATE INDEX lead_identity_phone ON lead_identity (workspace_id, phone_key) WHERE phone_key IS NOT NULL;

-- Erased leads never come back: what arrives for them later is dropped and counted.
CREATE TABLE erased (lead_id TEXT PRIMARY KEY, dropped INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- Empty but within an erase's transaction, where it takes all free pages and fills them with zeros.
CREATE TABLE blank (content BLOB NOT NULL) STRICT;

-- Leads that are still to be erased from the generations that are kept (rule: erase everywhere).
CREATE TABLE erase_duty (
  generation INTEGER NOT NULL, lead_id TEXT NOT NULL, PRIMARY KEY (generation, lead_id)
) STRICT, WITHOUT ROWID;

-- An action log that is not among its lead's recent ones, which stand in pieces: its finished JSON, found by recency or by
-- role (projector/assemble/log-role.ts) without reading the others.
CREATE TABLE action_log (
  lead_no INTEGER NOT NULL, id TEXT NOT NULL, created_at TEXT NOT NULL,
  "role" TEXT, role_order TEXT, has_documents INTEGER NOT NULL, log TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX action_log_id ON action_log (lead_no, id);
CREATE INDEX action_log_recent ON action_log (lead_no, created_at, id);
CREATE INDEX action_log_role ON action_log (lead_no, "role", role_order, id) WHERE "role" IS NOT NULL;

-- What the API reads, and the outbox: one row a lead, under the number of its latest change (rule: one number). Where
-- the view is gone the row is a tombstone: status and body are null. "section_numbers" and "section_ends" are JSON: for
-- each field of the view, in its order, the number of its latest change ('[]' = not known) and where its bytes end;
-- "section_hashes" has the hash of each field's bytes and objects, 16 characters each ('' = not known).
CREATE TABLE lead_view (
  lead_id TEXT NOT NULL, workspace_id TEXT NOT NULL, number INTEGER NOT NULL, status TEXT,
  section_numbers TEXT NOT NULL, section_ends TEXT NOT NULL, section_hashes TEXT NOT NULL,
  -- The trace of the event that made the latest change (W3C Trace Context).
  traceparent TEXT,
  url_slots TEXT, body BLOB
) STRICT;
CREATE UNIQUE INDEX lead_view_id ON lead_view (lead_id);
CREATE INDEX lead_view_number ON lead_view (number);
-- A workspace's changes are read as one range a status: the same index finds its leads by status, newest change first.
CREATE INDEX lead_view_workspace ON lead_view (workspace_id, status, number);

-- How far each relay and each webhook endpoint has come: beside the numbers that they count in.
CREATE TABLE relay (name TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- What a relay could not pass on when its turn came, while others went on (rule: nobody blocks another): by the lead's
-- id, or the dead letter's position. "number" is the change that waits (0 for a dead letter), "lane" what its order is kept
-- in; "next_try_at" (milliseconds since 1970) is null where only a command tries it again.
CREATE TABLE set_aside (
  relay TEXT NOT NULL, name TEXT NOT NULL, lane TEXT NOT NULL, number INTEGER NOT NULL, reason TEXT NOT NULL,
  attempts INTEGER NOT NULL, since INTEGER NOT NULL, next_try_at INTEGER,
  PRIMARY KEY (relay, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX set_aside_lane ON set_aside (relay, lane, next_try_at) WHERE next_try_at IS NOT NULL;
CREATE INDEX set_aside_due ON set_aside (relay, next_try_at) WHERE next_try_at IS NOT NULL;

-- On a replica: the order in which changes came, since those of different partitions do not come in the order of their
-- numbers (rule: what a replica tells). "floor" is the number up to which everything had come before.
CREATE TABLE arrival (
  seq INTEGER PRIMARY KEY, lead_id TEXT NOT NULL, number INTEGER NOT NULL, floor INTEGER NOT NULL
) STRICT;

-- On a replica that reads the topic of views anew: leads of which the topic has said nothing yet. Those that are left once it
-- was read are no more.
CREATE TABLE unconfirmed (lead_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
