-- Webhook targets with options, health and a secret that is being replaced;
-- deliveries that can be listed and replayed; a row for each attempt.

-- `kinds` NULL: every event. `payload` and `concurrency` NULL: the
-- installation's. `old_secret` is sealed.
ALTER TABLE targets ADD COLUMN is_default INTEGER NOT NULL DEFAULT 0;
ALTER TABLE targets ADD COLUMN enabled INTEGER NOT NULL DEFAULT 1;
ALTER TABLE targets ADD COLUMN kinds TEXT;
ALTER TABLE targets ADD COLUMN payload TEXT;
ALTER TABLE targets ADD COLUMN ordering TEXT NOT NULL DEFAULT 'chat';
ALTER TABLE targets ADD COLUMN concurrency INTEGER;
ALTER TABLE targets ADD COLUMN old_secret BLOB;
ALTER TABLE targets ADD COLUMN old_secret_until_ms INTEGER;
ALTER TABLE targets ADD COLUMN failing_since_ms INTEGER;
ALTER TABLE targets ADD COLUMN stopped_ms INTEGER;

-- `attempts` counts all requests, `tries` where the schedule stands.
ALTER TABLE deliveries ADD COLUMN session_no INTEGER;
ALTER TABLE deliveries ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
UPDATE deliveries SET
    tries = attempts,
    session_no = (SELECT session_no FROM events WHERE events.id = deliveries.event);
CREATE INDEX deliveries_session ON deliveries (session, seq);
CREATE INDEX deliveries_dead ON deliveries (session, seq) WHERE state = 'dead';

CREATE TABLE delivery_attempts (
    delivery TEXT NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    number   INTEGER NOT NULL,
    at_ms    INTEGER NOT NULL,
    took_ms  INTEGER NOT NULL,
    status   INTEGER,
    error    TEXT,
    answer   TEXT NOT NULL,
    PRIMARY KEY (delivery, number)
) WITHOUT ROWID;
