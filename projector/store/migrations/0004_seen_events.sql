-- The events that a lead's part saw lately, by topic (projector/fold/seen-events.ts).
ALTER TABLE lead ADD COLUMN seen BLOB;
