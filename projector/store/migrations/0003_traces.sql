-- The trace that made a view's latest change, for whoever the change is handed on to (W3C Trace Context).
ALTER TABLE change ADD COLUMN traceparent TEXT;
