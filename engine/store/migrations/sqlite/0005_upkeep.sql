-- What retention looks at. Dedup keys have no row of their own kind to age with,
-- so they note when they were seen; those that are there already count from now.
ALTER TABLE event_dedup ADD COLUMN seen_ms INTEGER NOT NULL DEFAULT 0;
UPDATE event_dedup SET seen_ms = CAST(strftime('%s', 'now') AS INTEGER) * 1000;

-- Whether an event is still owed to a flow or a plugin.
CREATE INDEX dispatches_event ON dispatches (event);
