-- Jobs that are not in line yet or any more, bulks, receipts, and the answers
-- that are kept for requests with an idempotency key.

-- `message_id` is that of jobs that are messages; `bulk` that of a bulk's jobs.
-- The times are what the recipient's receipts say.
ALTER TABLE jobs ADD COLUMN session_no INTEGER;
ALTER TABLE jobs ADD COLUMN message_id TEXT;
ALTER TABLE jobs ADD COLUMN bulk TEXT;
ALTER TABLE jobs ADD COLUMN delivered_ms INTEGER;
ALTER TABLE jobs ADD COLUMN read_ms INTEGER;
ALTER TABLE jobs ADD COLUMN played_ms INTEGER;
CREATE INDEX jobs_session ON jobs (session, id);
CREATE INDEX jobs_message ON jobs (session, message_id) WHERE message_id IS NOT NULL;
CREATE INDEX jobs_bulk ON jobs (bulk, state, id) WHERE bulk IS NOT NULL;
CREATE INDEX jobs_bulk_queued ON jobs (session) WHERE state = 'queued' AND bulk IS NOT NULL;
CREATE INDEX jobs_due ON jobs (due_ms, id) WHERE state = 'scheduled';
CREATE INDEX jobs_scheduled ON jobs (session, id) WHERE state = 'scheduled';
CREATE INDEX jobs_waiting ON jobs (session, seq) WHERE state = 'waiting';
CREATE INDEX jobs_wedged ON jobs (session, id) WHERE state = 'wedged';

CREATE TABLE bulks (
    id           TEXT PRIMARY KEY,
    session      TEXT NOT NULL,
    total        INTEGER NOT NULL,
    created_ms   INTEGER NOT NULL,
    cancelled_ms INTEGER
) WITHOUT ROWID;
CREATE INDEX bulks_session ON bulks (session);

CREATE TABLE send_holds (
    session  TEXT PRIMARY KEY,
    since_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    wait_ms  INTEGER NOT NULL
) WITHOUT ROWID;

-- `status` and `body` are the answer; none as long as there is none.
CREATE TABLE idempotency (
    user        TEXT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    created_ms  INTEGER NOT NULL,
    status      INTEGER,
    body        BLOB,
    PRIMARY KEY (user, key)
);
CREATE INDEX idempotency_created ON idempotency (created_ms);
