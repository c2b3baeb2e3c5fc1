-- The first schema. Columns are what rows are found by and what changes; the
-- `record` of a row is protobuf (`proto/warest/v1`) and never changes, except a
-- step's, which is rewritten whole. An empty `chat` means "no chat".

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE users (
    id         TEXT PRIMARY KEY,
    username   TEXT NOT NULL UNIQUE,
    is_admin   INTEGER NOT NULL,
    key_hash   BLOB NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL
);

-- `no` is never reused: events and runs point at it, so that whoever takes the
-- name of a removed session does not see what the one before left behind.
CREATE TABLE sessions (
    no         INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    owner      TEXT NOT NULL,
    label      TEXT NOT NULL,
    enabled    INTEGER NOT NULL,
    me         TEXT,
    created_ms INTEGER NOT NULL
);
CREATE INDEX sessions_owner ON sessions (owner);

CREATE TABLE events (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    session    TEXT NOT NULL,
    session_no INTEGER,
    kind       TEXT NOT NULL,
    chat       TEXT NOT NULL,
    ts_ms      INTEGER NOT NULL,
    record     BLOB NOT NULL
);
CREATE INDEX events_session ON events (session, seq);

CREATE TABLE event_dedup (
    session TEXT NOT NULL,
    key     TEXT NOT NULL,
    PRIMARY KEY (session, key)
) WITHOUT ROWID;

CREATE TABLE dispatches (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    reactor TEXT NOT NULL,
    session TEXT NOT NULL,
    chat    TEXT NOT NULL,
    event   TEXT NOT NULL
);
CREATE INDEX dispatches_reactor ON dispatches (reactor, seq);
CREATE INDEX dispatches_lane ON dispatches (reactor, session, chat, seq);

CREATE TABLE reactor_state (
    reactor TEXT NOT NULL,
    session TEXT NOT NULL,
    chat    TEXT NOT NULL,
    key     TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (reactor, session, chat, key)
) WITHOUT ROWID;

CREATE TABLE flows (
    no         INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    owner      TEXT NOT NULL,
    name       TEXT NOT NULL,
    session    TEXT,
    kinds      TEXT NOT NULL,
    script     TEXT NOT NULL,
    enabled    INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
);

CREATE TABLE plugins (
    name       TEXT PRIMARY KEY,
    owner      TEXT NOT NULL,
    version    TEXT NOT NULL,
    kinds      TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    size       INTEGER NOT NULL,
    created_ms INTEGER NOT NULL
);
CREATE TABLE plugin_components (
    name      TEXT PRIMARY KEY REFERENCES plugins (name) ON DELETE CASCADE,
    component BLOB NOT NULL
);
CREATE TABLE bindings (
    session TEXT NOT NULL,
    plugin  TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    config  TEXT NOT NULL,
    PRIMARY KEY (session, plugin)
) WITHOUT ROWID;

-- `secret` is sealed.
CREATE TABLE targets (
    no              INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    session         TEXT NOT NULL,
    url             TEXT NOT NULL,
    secret          BLOB NOT NULL,
    paused_until_ms INTEGER NOT NULL,
    failures        INTEGER NOT NULL
);
CREATE INDEX targets_session ON targets (session);

CREATE TABLE runs (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    session    TEXT NOT NULL,
    session_no INTEGER,
    by_reactor TEXT NOT NULL,
    event      TEXT,
    state      TEXT NOT NULL,
    version    INTEGER NOT NULL,
    wake_ms    INTEGER,
    ended_ms   INTEGER,
    fault      BLOB,
    record     BLOB NOT NULL
);
CREATE UNIQUE INDEX runs_cause ON runs (event, by_reactor) WHERE event IS NOT NULL;
CREATE INDEX runs_session ON runs (session, seq);
CREATE INDEX runs_wake ON runs (wake_ms) WHERE state = 'active' AND wake_ms IS NOT NULL;

CREATE TABLE steps (
    seq    INTEGER PRIMARY KEY,
    run    TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    path   TEXT NOT NULL,
    record BLOB NOT NULL,
    UNIQUE (run, path)
);

CREATE TABLE jobs (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL UNIQUE,
    session  TEXT NOT NULL,
    chat     TEXT NOT NULL,
    state    TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due_ms   INTEGER NOT NULL,
    ended_ms INTEGER,
    fault    BLOB,
    record   BLOB NOT NULL
);
CREATE INDEX jobs_queued ON jobs (session, seq) WHERE state = 'queued';
CREATE INDEX jobs_lane ON jobs (session, chat, seq) WHERE state = 'queued';

CREATE TABLE deliveries (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    event      TEXT NOT NULL,
    session    TEXT NOT NULL,
    chat       TEXT NOT NULL,
    target     TEXT NOT NULL,
    state      TEXT NOT NULL,
    attempts   INTEGER NOT NULL,
    due_ms     INTEGER NOT NULL,
    status     INTEGER,
    error      TEXT,
    created_ms INTEGER NOT NULL,
    ended_ms   INTEGER,
    UNIQUE (event, target)
);
CREATE INDEX deliveries_pending ON deliveries (target, seq) WHERE state = 'pending';
CREATE INDEX deliveries_lane ON deliveries (target, chat, seq) WHERE state = 'pending';

-- WhatsApp credentials, one store per pairing. `no` is never reused, and rows
-- of a store that was forgotten cannot be written any more.
CREATE TABLE wa_stores (
    no      INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT NOT NULL UNIQUE
);
-- `value` is sealed. `tag` is a second key; `due` is what expiry looks at;
-- `num` is a flag or a number of the kind.
CREATE TABLE wa_kv (
    store INTEGER NOT NULL REFERENCES wa_stores (no) ON DELETE CASCADE,
    kind  INTEGER NOT NULL,
    key   BLOB NOT NULL,
    tag   BLOB,
    due   INTEGER,
    num   INTEGER,
    value BLOB,
    PRIMARY KEY (store, kind, key)
);
CREATE INDEX wa_kv_tag ON wa_kv (store, kind, tag) WHERE tag IS NOT NULL;
CREATE INDEX wa_kv_due ON wa_kv (store, kind, due) WHERE due IS NOT NULL;
