-- The history of sessions, media files, and command books.

-- `jid` is the LID where no phone address is known. `read_ms`: what was written
-- up to then was read. `cleared_ms`: what was written up to then was cleared away,
-- and does not come back with a part of the phone's history. The counts and
-- `last_seq` are kept by the triggers below.
CREATE TABLE chats (
    no                INTEGER PRIMARY KEY AUTOINCREMENT,
    session_no        INTEGER NOT NULL,
    jid               TEXT NOT NULL,
    lid               TEXT,
    name              TEXT,
    unread            INTEGER NOT NULL DEFAULT 0,
    marked_unread     INTEGER NOT NULL DEFAULT 0,
    archived          INTEGER NOT NULL DEFAULT 0,
    pinned_ms         INTEGER,
    muted_until_ms    INTEGER,
    ephemeral_seconds INTEGER,
    read_ms           INTEGER,
    cleared_ms        INTEGER,
    messages          INTEGER NOT NULL DEFAULT 0,
    sent              INTEGER NOT NULL DEFAULT 0,
    media             INTEGER NOT NULL DEFAULT 0,
    media_sent        INTEGER NOT NULL DEFAULT 0,
    last_seq          INTEGER,
    created_ms        INTEGER NOT NULL,
    updated_ms        INTEGER NOT NULL,
    UNIQUE (session_no, jid)
);
CREATE INDEX chats_lid ON chats (session_no, lid) WHERE lid IS NOT NULL;
CREATE INDEX chats_last ON chats (session_no, last_seq);

-- `seq` is the time in milliseconds times 2^21, and a count within that
-- millisecond: one order for lists, search and retention, and an index on a chat
-- alone has its messages in that order. `mentions` is JSON; `media` the id of its
-- file; `status` how far it has come, as a number.
CREATE TABLE messages (
    seq             INTEGER PRIMARY KEY,
    session_no      INTEGER NOT NULL,
    chat_no         INTEGER NOT NULL,
    id              TEXT NOT NULL,
    from_me         INTEGER NOT NULL,
    participant     TEXT,
    sender          TEXT NOT NULL,
    push_name       TEXT,
    ts_ms           INTEGER NOT NULL,
    content_type    TEXT NOT NULL,
    text            TEXT NOT NULL,
    media           TEXT,
    quoted          TEXT,
    mentions        TEXT,
    status          INTEGER NOT NULL,
    starred         INTEGER NOT NULL,
    edited_ms       INTEGER,
    revoked_ms      INTEGER,
    pinned_until_ms INTEGER,
    body            BLOB NOT NULL
);
CREATE INDEX messages_id ON messages (session_no, id);
CREATE INDEX messages_chat ON messages (chat_no);
CREATE INDEX messages_received ON messages (chat_no) WHERE from_me = 0;
CREATE INDEX messages_sent ON messages (chat_no) WHERE from_me = 1;
CREATE INDEX messages_media ON messages (chat_no) WHERE media IS NOT NULL;
CREATE INDEX messages_media_received ON messages (chat_no) WHERE media IS NOT NULL AND from_me = 0;
CREATE INDEX messages_media_sent ON messages (chat_no) WHERE media IS NOT NULL AND from_me = 1;
CREATE INDEX messages_starred ON messages (chat_no) WHERE starred = 1;
CREATE INDEX messages_file ON messages (media) WHERE media IS NOT NULL;

-- The beginnings of a message's words, each with its chat's number before it, so
-- that a search costs what its chat has of a word, and not what all chats have.
CREATE VIRTUAL TABLE message_words USING fts5 (
    words, content = '', contentless_delete = 1, detail = 'none', tokenize = "ascii tokenchars ':'"
);

CREATE TABLE reactions (
    message INTEGER NOT NULL REFERENCES messages (seq) ON DELETE CASCADE,
    sender  TEXT NOT NULL,
    emoji   TEXT NOT NULL,
    ts_ms   INTEGER NOT NULL,
    PRIMARY KEY (message, sender)
) WITHOUT ROWID;

-- `options` is JSON.
CREATE TABLE votes (
    message INTEGER NOT NULL REFERENCES messages (seq) ON DELETE CASCADE,
    sender  TEXT NOT NULL,
    options TEXT NOT NULL,
    ts_ms   INTEGER NOT NULL,
    PRIMARY KEY (message, sender)
) WITHOUT ROWID;

-- What became known of messages before they did; the newest of a session. `change`
-- is JSON.
CREATE TABLE early_changes (
    no         INTEGER PRIMARY KEY AUTOINCREMENT,
    session_no INTEGER NOT NULL,
    id         TEXT NOT NULL,
    change     TEXT NOT NULL
);
CREATE INDEX early_changes_id ON early_changes (session_no, id);
CREATE INDEX early_changes_session ON early_changes (session_no);

-- What is left to tidy up, in pieces: messages of chats that are gone (those of a
-- chat that turned out to be another one, `into_no`, go there), messages below a
-- position that were cleared away, and all of sessions that are gone.
CREATE TABLE chats_gone (
    no      INTEGER PRIMARY KEY,
    into_no INTEGER
);
CREATE TABLE chats_cleared (
    no          INTEGER NOT NULL,
    starred_too INTEGER NOT NULL,
    below_seq   INTEGER NOT NULL,
    PRIMARY KEY (no, starred_too)
) WITHOUT ROWID;
CREATE TABLE sessions_gone (
    no INTEGER PRIMARY KEY
);

CREATE TABLE contacts (
    no            INTEGER PRIMARY KEY,
    session_no    INTEGER NOT NULL,
    jid           TEXT,
    lid           TEXT,
    name          TEXT,
    first_name    TEXT,
    push_name     TEXT,
    verified_name TEXT
);
CREATE UNIQUE INDEX contacts_jid ON contacts (session_no, jid) WHERE jid IS NOT NULL;
CREATE UNIQUE INDEX contacts_lid ON contacts (session_no, lid) WHERE lid IS NOT NULL;
CREATE INDEX contacts_session ON contacts (session_no);

CREATE TABLE labels (
    session_no INTEGER NOT NULL,
    id         TEXT NOT NULL,
    name       TEXT NOT NULL,
    color      INTEGER NOT NULL,
    PRIMARY KEY (session_no, id)
) WITHOUT ROWID;
-- An empty `message`: the chat itself.
CREATE TABLE labelled (
    session_no INTEGER NOT NULL,
    label      TEXT NOT NULL,
    chat       TEXT NOT NULL,
    message    TEXT NOT NULL,
    PRIMARY KEY (session_no, label, chat, message)
) WITHOUT ROWID;
CREATE INDEX labelled_chat ON labelled (session_no, chat, message);

-- `object` is the name on the shelf; a row that is `gone` has it until the object
-- was removed.
CREATE TABLE media (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    session_no INTEGER NOT NULL,
    chat       TEXT,
    message    TEXT,
    direction  TEXT NOT NULL,
    kind       TEXT NOT NULL,
    mime       TEXT NOT NULL,
    size       INTEGER NOT NULL,
    sha256     TEXT NOT NULL,
    file_name  TEXT,
    width      INTEGER,
    height     INTEGER,
    seconds    INTEGER,
    state      TEXT NOT NULL,
    object     TEXT,
    fault      BLOB,
    attempts   INTEGER NOT NULL,
    due_ms     INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER
);
CREATE INDEX media_pending ON media (seq, due_ms) WHERE state = 'pending';
CREATE INDEX media_due ON media (due_ms) WHERE state = 'pending';
CREATE INDEX media_stored ON media (seq, size) WHERE state = 'stored';
CREATE INDEX media_expires ON media (expires_ms) WHERE state = 'stored' AND expires_ms IS NOT NULL;
CREATE INDEX media_unwanted ON media (seq) WHERE state = 'gone' AND object IS NOT NULL;
CREATE INDEX media_object ON media (object) WHERE object IS NOT NULL;
CREATE INDEX media_session ON media (session_no);

-- `book` is JSON.
CREATE TABLE command_books (
    session TEXT PRIMARY KEY,
    book    TEXT NOT NULL
) WITHOUT ROWID;

-- Whatever adds, moves or removes a message, its chat's counts agree; a message
-- takes its words and its file with it.
CREATE TRIGGER message_added AFTER INSERT ON messages BEGIN
    UPDATE chats SET
        messages = messages + 1,
        sent = sent + NEW.from_me,
        media = media + (NEW.media IS NOT NULL),
        media_sent = media_sent + (NEW.media IS NOT NULL AND NEW.from_me),
        last_seq = max(coalesce(last_seq, NEW.seq), NEW.seq),
        updated_ms = max(updated_ms, NEW.ts_ms)
    WHERE no = NEW.chat_no;
END;

CREATE TRIGGER message_moved AFTER UPDATE OF chat_no ON messages WHEN OLD.chat_no <> NEW.chat_no BEGIN
    UPDATE chats SET
        messages = messages + 1,
        sent = sent + NEW.from_me,
        media = media + (NEW.media IS NOT NULL),
        media_sent = media_sent + (NEW.media IS NOT NULL AND NEW.from_me),
        last_seq = max(coalesce(last_seq, NEW.seq), NEW.seq)
    WHERE no = NEW.chat_no;
    UPDATE chats SET
        messages = messages - 1,
        sent = sent - OLD.from_me,
        media = media - (OLD.media IS NOT NULL),
        media_sent = media_sent - (OLD.media IS NOT NULL AND OLD.from_me),
        last_seq = CASE last_seq
            WHEN OLD.seq THEN (SELECT max(seq) FROM messages WHERE chat_no = OLD.chat_no)
            ELSE last_seq
        END
    WHERE no = OLD.chat_no;
END;

CREATE TRIGGER message_file_changed AFTER UPDATE OF media ON messages WHEN OLD.media IS NOT NEW.media BEGIN
    UPDATE chats SET
        media = media + (NEW.media IS NOT NULL) - (OLD.media IS NOT NULL),
        media_sent = media_sent + (NEW.media IS NOT NULL AND NEW.from_me) - (OLD.media IS NOT NULL AND OLD.from_me)
    WHERE no = NEW.chat_no;
    UPDATE media SET state = 'gone', fault = NULL
    WHERE id = OLD.media AND direction <> 'uploaded'
      AND NOT EXISTS (SELECT 1 FROM messages WHERE media = OLD.media);
    DELETE FROM media
    WHERE id = OLD.media AND state = 'gone' AND object IS NULL
      AND NOT EXISTS (SELECT 1 FROM messages WHERE media = OLD.media);
END;

CREATE TRIGGER message_removed AFTER DELETE ON messages BEGIN
    UPDATE chats SET
        messages = messages - 1,
        sent = sent - OLD.from_me,
        media = media - (OLD.media IS NOT NULL),
        media_sent = media_sent - (OLD.media IS NOT NULL AND OLD.from_me),
        last_seq = CASE last_seq
            WHEN OLD.seq THEN (SELECT max(seq) FROM messages WHERE chat_no = OLD.chat_no)
            ELSE last_seq
        END
    WHERE no = OLD.chat_no;
    DELETE FROM message_words WHERE rowid = OLD.seq;
    UPDATE media SET state = 'gone', fault = NULL
    WHERE id = OLD.media AND direction <> 'uploaded'
      AND NOT EXISTS (SELECT 1 FROM messages WHERE media = OLD.media);
    DELETE FROM media
    WHERE id = OLD.media AND state = 'gone' AND object IS NULL
      AND NOT EXISTS (SELECT 1 FROM messages WHERE media = OLD.media);
END;
