-- What the guards must not forget. `settings` is JSON: what a session has tuned.
CREATE TABLE guard_settings (
    session  TEXT PRIMARY KEY,
    settings TEXT NOT NULL
) WITHOUT ROWID;

-- Quota windows that are too long for a cache that may be emptied.
CREATE TABLE guard_quota (
    session  TEXT PRIMARY KEY,
    since_ms INTEGER NOT NULL,
    used     INTEGER NOT NULL
) WITHOUT ROWID;

-- Chats in which something was said. `opened_ms` is set if the session spoke
-- first: those count against its budget.
CREATE TABLE guard_chats (
    session   TEXT NOT NULL,
    chat      TEXT NOT NULL,
    opened_ms INTEGER,
    PRIMARY KEY (session, chat)
) WITHOUT ROWID;
CREATE INDEX guard_chats_opened ON guard_chats (session, opened_ms) WHERE opened_ms IS NOT NULL;

INSERT OR IGNORE INTO guard_chats (session, chat)
    SELECT DISTINCT session, chat FROM events
    WHERE chat <> '' AND kind IN ('message_received', 'message_reaction')
      AND session_no IN (SELECT no FROM sessions);
INSERT OR IGNORE INTO guard_chats (session, chat)
    SELECT DISTINCT session, chat FROM jobs
    WHERE chat <> '' AND state = 'sent' AND session IN (SELECT id FROM sessions);

-- Who wants nothing from a tenant. `job` is the one message that may still go
-- to them: the confirmation; empty if there is none.
CREATE TABLE optouts (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    owner      TEXT NOT NULL,
    address    TEXT NOT NULL,
    session    TEXT,
    event      TEXT,
    job        TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    UNIQUE (owner, address)
);
CREATE INDEX optouts_owner ON optouts (owner, seq);
