//! Contacts, as they are written and read.

use super::chats::{is_lid, is_person, unite};
use super::{clip, containing};
use crate::Result;
use crate::codec;
use crate::history::Slice;
use crate::sqlite::all;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};
use warest_model::history::Contact;
use warest_model::id::SessionId;
use warest_model::jid::Jid;

/// Longest name, in characters.
const NAME_CHARS: usize = 255;
const WHAT: &str = "contact";

/// Takes down what is known of a person; whether something is left to tidy up. Two
/// rows of what turns out to be one person become one.
pub(super) async fn learn(db: &mut SqliteConnection, of: i64, new: Contact) -> Result<bool> {
    let (jid, lid) = (new.jid.clone().filter(|jid| is_person(jid) && !is_lid(jid)), new.lid.clone().filter(is_lid));
    // One whose LID was given as the phone address.
    let lid = lid.or_else(|| new.jid.clone().filter(is_lid));
    if jid.is_none() && lid.is_none() {
        return Ok(false);
    }
    let rows = sqlx::query(
        "SELECT no, jid, lid, name, first_name, push_name, verified_name FROM contacts
         WHERE session_no = ?1 AND jid = ?2
         UNION
         SELECT no, jid, lid, name, first_name, push_name, verified_name FROM contacts
         WHERE session_no = ?1 AND lid = ?3",
    )
    .bind(of)
    .bind(jid.as_ref().map(Jid::as_str))
    .bind(lid.as_ref().map(Jid::as_str))
    .fetch_all(&mut *db)
    .await?;
    let mut known = Vec::with_capacity(rows.len());
    for row in &rows {
        known.push((row.try_get::<i64, _>("no")?, contact_of(row)?));
    }
    // That of the phone address first: its names are the address book's.
    known.sort_by_key(|(_, of)| of.jid.is_none() || of.jid != jid);
    let clipped = |name: Option<String>| name.map(|name| clip(name, NAME_CHARS));
    let mut merged = Contact {
        jid,
        lid,
        name: clipped(new.name),
        first_name: clipped(new.first_name),
        push_name: clipped(new.push_name),
        verified_name: clipped(new.verified_name),
    };
    for (_, old) in &known {
        merged = Contact {
            jid: merged.jid.or_else(|| old.jid.clone()),
            lid: merged.lid.or_else(|| old.lid.clone()),
            name: merged.name.or_else(|| old.name.clone()),
            first_name: merged.first_name.or_else(|| old.first_name.clone()),
            push_name: merged.push_name.or_else(|| old.push_name.clone()),
            verified_name: merged.verified_name.or_else(|| old.verified_name.clone()),
        };
    }
    let mut rest = known.into_iter();
    let first = rest.next();
    if first.as_ref().is_some_and(|(_, old)| *old == merged) && rest.len() == 0 {
        return Ok(false);
    }
    for (no, _) in rest {
        sqlx::query("DELETE FROM contacts WHERE no = ?").bind(no).execute(&mut *db).await?;
    }
    let paired = first.as_ref().is_none_or(|(_, old)| (&old.jid, &old.lid) != (&merged.jid, &merged.lid));
    sqlx::query(
        "INSERT INTO contacts (no, session_no, jid, lid, name, first_name, push_name, verified_name)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (no) DO UPDATE SET
             jid = excluded.jid, lid = excluded.lid, name = excluded.name, first_name = excluded.first_name,
             push_name = excluded.push_name, verified_name = excluded.verified_name",
    )
    .bind(first.map(|(no, _)| no))
    .bind(of)
    .bind(merged.jid.as_ref().map(Jid::as_str))
    .bind(merged.lid.as_ref().map(Jid::as_str))
    .bind(merged.name)
    .bind(merged.first_name)
    .bind(merged.push_name)
    .bind(merged.verified_name)
    .execute(&mut *db)
    .await?;
    match (merged.jid, merged.lid) {
        (Some(phone), Some(lid)) if paired => unite(db, of, &phone, &lid).await,
        _ => Ok(false),
    }
}

/// A page of contacts, and how many fit.
pub(super) async fn list(
    db: &SqlitePool,
    session: &SessionId,
    search: Option<&str>,
    page: &Slice,
) -> Result<(Vec<Contact>, u64)> {
    const FITS: &str = "session_no = (SELECT no FROM sessions WHERE id = ?1)
        AND (?2 IS NULL OR name LIKE ?2 ESCAPE '\\' OR first_name LIKE ?2 ESCAPE '\\' OR push_name LIKE ?2 ESCAPE '\\'
             OR verified_name LIKE ?2 ESCAPE '\\' OR jid LIKE ?2 ESCAPE '\\' OR lid LIKE ?2 ESCAPE '\\')";
    let pattern = search.filter(|search| !search.is_empty()).map(containing);
    let total: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM contacts WHERE {FITS}")))
        .bind(session.as_str())
        .bind(&pattern)
        .fetch_one(db)
        .await?;
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT jid, lid, name, first_name, push_name, verified_name FROM contacts WHERE {FITS}
         ORDER BY coalesce(name, first_name, push_name, verified_name, jid, lid) COLLATE NOCASE, no LIMIT ?3 OFFSET ?4"
    )))
    .bind(session.as_str())
    .bind(&pattern)
    .bind(page.limit.clamp(1, 1_000))
    .bind(i64::try_from(page.offset).unwrap_or(i64::MAX))
    .fetch_all(db)
    .await?;
    Ok((all(rows, contact_of)?, total.unsigned_abs()))
}

/// One contact.
pub(super) async fn one(db: &SqlitePool, session: &SessionId, whom: &Jid) -> Result<Option<Contact>> {
    sqlx::query(
        "SELECT jid, lid, name, first_name, push_name, verified_name FROM contacts
         WHERE session_no = (SELECT no FROM sessions WHERE id = ?1) AND jid = ?2
         UNION ALL
         SELECT jid, lid, name, first_name, push_name, verified_name FROM contacts
         WHERE session_no = (SELECT no FROM sessions WHERE id = ?1) AND lid = ?2",
    )
    .bind(session.as_str())
    .bind(whom.as_str())
    .fetch_optional(db)
    .await?
    .as_ref()
    .map(contact_of)
    .transpose()
}

fn contact_of(row: &SqliteRow) -> Result<Contact> {
    let jid = |column| -> Result<Option<Jid>> {
        let text: Option<String> = row.try_get(column)?;
        text.map(|text| codec::jid(WHAT, text)).transpose()
    };
    Ok(Contact {
        jid: jid("jid")?,
        lid: jid("lid")?,
        name: row.try_get("name")?,
        first_name: row.try_get("first_name")?,
        push_name: row.try_get("push_name")?,
        verified_name: row.try_get("verified_name")?,
    })
}
