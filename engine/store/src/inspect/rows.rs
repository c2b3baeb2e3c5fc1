//! Rows that point at rows which are not there.

use super::{COUNTED, Finding, Inspector, Looked};
use crate::codec::encode_fault;
use sqlx::AssertSqlSafe;
use warest_model::clock::Millis;
use warest_model::fault::Fault;

/// One thing that must hold for every row of a table.
pub(super) struct Check {
    pub name: &'static str,
    /// What a row that breaks it is.
    what: &'static str,
    remedy: &'static str,
    table: &'static str,
    /// How a row is named.
    shown: &'static str,
    /// What rows that break it have in common.
    broken: &'static str,
    repair: Repair,
}

/// What `--fix` does with such rows.
enum Repair {
    /// Nothing: a person has to decide.
    None,
    /// Removes them. They are of no use to anybody.
    Remove,
    /// Ends them, as deliveries that are dead, so that they stay listed.
    Bury,
    /// Ends them as failed: their session is gone.
    Fail,
    /// Writes these columns anew.
    Set(&'static str),
}

const REMOVED_WITH_FIX: &str = "nothing is lost with them: --fix removes them";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "dispatch_event",
        what: "decisions owed about events that are not in the log",
        remedy: REMOVED_WITH_FIX,
        table: "dispatches",
        shown: "reactor || ' about ' || event",
        broken: "NOT EXISTS (SELECT 1 FROM events e WHERE e.id = dispatches.event)",
        repair: Repair::Remove,
    },
    Check {
        name: "dispatch_reactor",
        what: "decisions owed by flows or plugins that were removed",
        remedy: REMOVED_WITH_FIX,
        table: "dispatches",
        shown: "reactor || ' about ' || event",
        broken: "NOT EXISTS (SELECT 1 FROM flows f WHERE dispatches.reactor = 'flow:' || f.id)
                 AND NOT EXISTS (SELECT 1 FROM plugins p WHERE dispatches.reactor = 'plugin:' || p.name)",
        repair: Repair::Remove,
    },
    Check {
        name: "dispatch_session",
        what: "decisions owed about sessions that were removed",
        remedy: REMOVED_WITH_FIX,
        table: "dispatches",
        shown: "reactor || ' in ' || session",
        broken: "NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = dispatches.session)",
        repair: Repair::Remove,
    },
    Check {
        name: "delivery_event",
        what: "pending deliveries of events that are not in the log",
        remedy: "they cannot be delivered: --fix ends them as dead, which keeps them listed",
        table: "deliveries",
        shown: "id",
        broken: "state = 'pending' AND NOT EXISTS (SELECT 1 FROM events e WHERE e.id = deliveries.event)",
        repair: Repair::Bury,
    },
    Check {
        name: "delivery_target",
        what: "pending deliveries to webhooks that were removed",
        remedy: "they cannot be delivered: --fix ends them as dead, which keeps them listed",
        table: "deliveries",
        shown: "id",
        broken: "state = 'pending' AND NOT EXISTS (SELECT 1 FROM targets t WHERE t.id = deliveries.target)",
        repair: Repair::Bury,
    },
    Check {
        name: "delivery_session",
        what: "pending deliveries of sessions that were removed",
        remedy: "they are not delivered: --fix ends them as dead, which keeps them listed",
        table: "deliveries",
        shown: "id",
        broken: "state = 'pending' AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = deliveries.session)",
        repair: Repair::Bury,
    },
    Check {
        name: "job_session",
        what: "queued messages of sessions that were removed",
        remedy: "they are not sent: --fix ends them as failed, which keeps them listed",
        table: "jobs",
        shown: "id || ' in ' || session",
        broken: "ended_ms IS NULL AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = jobs.session)",
        repair: Repair::Fail,
    },
    Check {
        name: "run_session",
        what: "active runs of sessions that were removed",
        remedy: "they do not go on: --fix ends them as failed, which keeps them listed",
        table: "runs",
        shown: "id || ' in ' || session",
        broken: "state = 'active' AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.no = runs.session_no)",
        repair: Repair::Fail,
    },
    Check {
        name: "step_run",
        what: "steps whose run is missing",
        remedy: REMOVED_WITH_FIX,
        table: "steps",
        shown: "run || ' ' || path",
        broken: "NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = steps.run)",
        repair: Repair::Remove,
    },
    Check {
        name: "session_owner",
        what: "sessions whose user is missing; the engine leaves them out",
        remedy: "restore a backup that has the user",
        table: "sessions",
        shown: "id",
        broken: "NOT EXISTS (SELECT 1 FROM users u WHERE u.id = sessions.owner)",
        repair: Repair::None,
    },
    Check {
        name: "binding",
        what: "plugins in use for sessions that were removed, or plugins that are missing",
        remedy: REMOVED_WITH_FIX,
        table: "bindings",
        shown: "plugin || ' in ' || session",
        broken: "NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = bindings.session)
                 OR NOT EXISTS (SELECT 1 FROM plugins p WHERE p.name = bindings.plugin)",
        repair: Repair::Remove,
    },
    Check {
        name: "target_session",
        what: "webhooks of sessions that were removed",
        remedy: REMOVED_WITH_FIX,
        table: "targets",
        shown: "id || ' in ' || session",
        broken: "NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = targets.session)",
        repair: Repair::Remove,
    },
    Check {
        name: "state_session",
        what: "state kept for sessions that were removed",
        remedy: "whoever takes their name would meet it: --fix removes it",
        table: "reactor_state",
        shown: "reactor || ' in ' || session",
        broken: "NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = reactor_state.session)",
        repair: Repair::Remove,
    },
    Check {
        name: "dedup_session",
        what: "marks of messages seen by sessions that were removed",
        remedy: "whoever takes their name would miss those messages: --fix removes them",
        table: "event_dedup",
        shown: "session",
        broken: "NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = event_dedup.session)",
        repair: Repair::Remove,
    },
    Check {
        name: "book_session",
        what: "commands of sessions that were removed",
        remedy: "whoever takes their name would meet them: --fix removes them",
        table: "command_books",
        shown: "session",
        broken: "NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = command_books.session)",
        repair: Repair::Remove,
    },
    Check {
        name: "chat_session",
        what: "chats of sessions that were removed",
        remedy: "nobody sees them: --fix removes them",
        table: "chats",
        shown: "jid || ' of session number ' || session_no",
        broken: "NOT EXISTS (SELECT 1 FROM sessions s WHERE s.no = chats.session_no)
                 AND NOT EXISTS (SELECT 1 FROM sessions_gone g WHERE g.no = chats.session_no)",
        repair: Repair::Remove,
    },
    Check {
        name: "message_chat",
        what: "messages whose chat is missing",
        remedy: "nobody sees them: --fix removes them",
        table: "messages",
        shown: "id || ' of chat number ' || chat_no",
        broken: "NOT EXISTS (SELECT 1 FROM chats c WHERE c.no = messages.chat_no)
                 AND NOT EXISTS (SELECT 1 FROM chats_gone g WHERE g.no = messages.chat_no)",
        repair: Repair::Remove,
    },
    Check {
        name: "chat_counts",
        what: "chats whose counts are not those of their messages",
        remedy: "lists show a wrong total or an old last message: --fix counts anew",
        table: "chats",
        shown: "jid || ' (' || messages || ' messages)'",
        broken: "messages <> (SELECT count(*) FROM messages m INDEXED BY messages_chat WHERE m.chat_no = chats.no)
                 OR sent <> (SELECT count(*) FROM messages m INDEXED BY messages_sent
                             WHERE m.chat_no = chats.no AND m.from_me = 1)
                 OR media <> (SELECT count(*) FROM messages m INDEXED BY messages_media
                              WHERE m.chat_no = chats.no AND m.media IS NOT NULL)
                 OR media_sent <> (SELECT count(*) FROM messages m INDEXED BY messages_media_sent
                                   WHERE m.chat_no = chats.no AND m.media IS NOT NULL AND m.from_me = 1)
                 OR last_seq IS NOT (SELECT max(m.seq) FROM messages m WHERE m.chat_no = chats.no)",
        repair: Repair::Set(
            "messages = (SELECT count(*) FROM messages m INDEXED BY messages_chat WHERE m.chat_no = chats.no),
             sent = (SELECT count(*) FROM messages m INDEXED BY messages_sent
                     WHERE m.chat_no = chats.no AND m.from_me = 1),
             media = (SELECT count(*) FROM messages m INDEXED BY messages_media
                      WHERE m.chat_no = chats.no AND m.media IS NOT NULL),
             media_sent = (SELECT count(*) FROM messages m INDEXED BY messages_media_sent
                           WHERE m.chat_no = chats.no AND m.media IS NOT NULL AND m.from_me = 1),
             last_seq = (SELECT max(m.seq) FROM messages m WHERE m.chat_no = chats.no)",
        ),
    },
    Check {
        name: "message_file",
        what: "messages whose file is not in the list of files",
        remedy: "--fix has them say that they have none; the text stays",
        table: "messages",
        shown: "id",
        broken: "media IS NOT NULL AND NOT EXISTS (SELECT 1 FROM media f WHERE f.id = messages.media)",
        repair: Repair::Set("media = NULL"),
    },
    Check {
        name: "file_message",
        what: "files of messages that are not in the history",
        remedy: "nobody sees them: --fix lets go of them, and the engine removes them",
        table: "media",
        shown: "id",
        // One that is being sent gets its message a moment later.
        broken: "direction <> 'uploaded' AND state <> 'gone' AND created_ms < (unixepoch() - 86400) * 1000
                 AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.media = media.id)",
        repair: Repair::Set("state = 'gone'"),
    },
    Check {
        name: "keys_session",
        what: "WhatsApp credentials of sessions that were removed",
        remedy: "create a session of that name to use them, or create and delete one to remove them",
        table: "wa_stores",
        shown: "session",
        broken: "NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = wa_stores.session)",
        repair: Repair::None,
    },
    Check {
        name: "keys_store",
        what: "rows of WhatsApp credentials that were removed",
        remedy: REMOVED_WITH_FIX,
        table: "wa_kv",
        shown: "'store ' || store",
        broken: "NOT EXISTS (SELECT 1 FROM wa_stores w WHERE w.no = wa_kv.store)",
        repair: Repair::Remove,
    },
];

/// Does the check of this name, and repairs what it finds if that is wanted.
pub(super) async fn check(inspector: &mut Inspector, name: &str, now_ms: Millis) -> Looked {
    let Some(check) = CHECKS.iter().find(|check| check.name == name) else { return Ok(None) };
    let Check { table, shown, broken, .. } = check;
    // Every part of these statements is written in this file.
    let look = format!("SELECT {shown} FROM {table} WHERE {broken} LIMIT {}", COUNTED + 1);
    let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(look)).fetch_all(&mut inspector.db).await?;
    let Some(mut finding) = Finding::about(check.what, check.remedy, rows) else { return Ok(None) };
    if inspector.repair {
        finding.repaired = check.repair(inspector, now_ms).await?;
    }
    Ok(Some(finding))
}

impl Check {
    async fn repair(&self, inspector: &mut Inspector, now_ms: Millis) -> Result<Option<u64>, super::Failed> {
        let Self { table, broken, what, .. } = self;
        let gone = encode_fault(&Fault::fail("session_deleted", "the session was removed before this had ended"));
        let sql = match self.repair {
            Repair::None => return Ok(None),
            Repair::Remove => format!("DELETE FROM {table} WHERE {broken}"),
            Repair::Bury => {
                format!("UPDATE {table} SET state = 'dead', ended_ms = ?1, error = ?2 WHERE {broken}")
            }
            Repair::Fail if *table == "runs" => format!(
                "UPDATE runs SET state = 'failed', ended_ms = ?1, fault = ?2, wake_ms = NULL, version = version + 1
                 WHERE {broken}"
            ),
            Repair::Set(columns) => format!("UPDATE {table} SET {columns} WHERE {broken}"),
            Repair::Fail => format!("UPDATE {table} SET state = 'failed', ended_ms = ?1, fault = ?2 WHERE {broken}"),
        };
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = match self.repair {
            Repair::Bury => query.bind(now_ms).bind(format!("ended by warest doctor: one of the {what}")),
            Repair::Fail => query.bind(now_ms).bind(gone),
            Repair::None | Repair::Remove | Repair::Set(_) => query,
        };
        Ok(Some(query.execute(&mut inspector.db).await?.rows_affected()))
    }
}
