-- How far each sink has taken the event log. A sink that is not configured any
-- more keeps its row, and goes on from there if it comes back.
CREATE TABLE sinks (
    name     TEXT PRIMARY KEY,
    seq      INTEGER NOT NULL,
    saved_ms INTEGER NOT NULL
) WITHOUT ROWID;
