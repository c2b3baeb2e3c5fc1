//! Webhook targets. A target's secrets are sealed before they come here.

use super::reactors::{kinds_of, kinds_text};
use super::{SqliteStore, all, number, or_exists, or_not_found, text};
use crate::Result;
use crate::codec::{corrupt, encode_event, parse};
use crate::error::StoreError;
use crate::secret::Cipher;
use crate::traits::{Resumed, TargetReport, Targets};
use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use std::collections::HashSet;
use warest_model::clock::Millis;
use warest_model::id::{SessionId, TargetId};
use warest_model::target::{OldSecret, Outcome, Target, TargetHealth, TargetOptions};

const WHAT: &str = "target";

#[async_trait]
impl Targets for SqliteStore {
    async fn targets(&self, session: Option<&SessionId>) -> Result<Vec<Target>> {
        let rows = match session {
            None => sqlx::query("SELECT * FROM targets ORDER BY no"),
            Some(session) => sqlx::query("SELECT * FROM targets WHERE session = ? ORDER BY no").bind(session.as_str()),
        };
        all(rows.fetch_all(self.readers()).await?, |row| target_of(row, self.cipher()))
    }

    async fn target(&self, id: &TargetId) -> Result<Option<Target>> {
        sqlx::query("SELECT * FROM targets WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(self.readers())
            .await?
            .as_ref()
            .map(|row| target_of(row, self.cipher()))
            .transpose()
    }

    async fn set_targets(&self, session: &SessionId, targets: &[Target], now_ms: Millis) -> Result<()> {
        let session = session.clone();
        let targets =
            targets.iter().map(|target| Sealed::new(target, self.cipher())).collect::<Result<Vec<Sealed>>>()?;
        self.write(move |db| Box::pin(async move { set_targets(db, &session, targets, now_ms).await })).await
    }

    async fn add_target(&self, target: &Target, now_ms: Millis) -> Result<()> {
        let target = Sealed::new(target, self.cipher())?;
        self.write(move |db| {
            Box::pin(async move {
                let defaults: Vec<String> =
                    sqlx::query_scalar("SELECT id FROM targets WHERE session = ? AND is_default = 1")
                        .bind(target.target.session.as_str())
                        .fetch_all(&mut *db)
                        .await?;
                for id in &defaults {
                    remove(db, id, now_ms).await?;
                }
                match put(db, &target).await? {
                    Put::Added => Ok(()),
                    Put::Replaced => Err(StoreError::Exists { what: WHAT }),
                }
            })
        })
        .await
    }

    async fn update_target(&self, target: &Target, resumed: Option<Resumed>) -> Result<()> {
        let target = Sealed::new(target, self.cipher())?;
        self.write(move |db| {
            Box::pin(async move {
                or_not_found(WHAT, write_choices(db, &target).await?)?;
                if let Some(Resumed { notice }) = resumed {
                    write_health(db, &target.target.id, &TargetHealth::default()).await?;
                    if let Some(notice) = notice {
                        super::events::append(db, encode_event(&notice.event), notice).await?;
                    }
                }
                Ok(())
            })
        })
        .await
    }

    async fn delete_target(&self, id: &TargetId, now_ms: Millis) -> Result<()> {
        let id = id.clone();
        self.write(move |db| Box::pin(async move { or_not_found(WHAT, remove(db, id.as_str(), now_ms).await?) })).await
    }
}

/// A target with its secrets sealed.
struct Sealed {
    target: Target,
    secret: Vec<u8>,
    old_secret: Option<Vec<u8>>,
}

impl Sealed {
    fn new(target: &Target, cipher: &Cipher) -> Result<Self> {
        let old_secret = target.old_secret.as_ref();
        Ok(Self {
            target: target.clone(),
            secret: cipher.seal(&place(&target.id), target.secret.as_bytes())?,
            old_secret: old_secret.map(|old| cipher.seal(&old_place(&target.id), old.secret.as_bytes())).transpose()?,
        })
    }
}

async fn set_targets(
    db: &mut SqliteConnection,
    session: &SessionId,
    targets: Vec<Sealed>,
    now_ms: Millis,
) -> Result<()> {
    let kept: HashSet<&str> = targets.iter().map(|sealed| sealed.target.id.as_str()).collect();
    let there: Vec<String> = sqlx::query_scalar("SELECT id FROM targets WHERE session = ?")
        .bind(session.as_str())
        .fetch_all(&mut *db)
        .await?;
    for id in there.iter().filter(|id| !kept.contains(id.as_str())) {
        remove(db, id, now_ms).await?;
    }
    for sealed in &targets {
        if sealed.target.session != *session {
            // It stays with the session it has.
            return Err(StoreError::Exists { what: WHAT });
        }
        put(db, sealed).await?;
        write_health(db, &sealed.target.id, &sealed.target.health).await?;
    }
    Ok(())
}

/// Removes a target; answers how many there were.
async fn remove(db: &mut SqliteConnection, id: &str, now_ms: Millis) -> Result<u64> {
    let done = sqlx::query("DELETE FROM targets WHERE id = ?").bind(id).execute(&mut *db).await?;
    sqlx::query(
        "UPDATE deliveries SET state = 'dead', error = 'its target was removed', ended_ms = ?
         WHERE state = 'pending' AND target = ?",
    )
    .bind(now_ms)
    .bind(id)
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

enum Put {
    Added,
    Replaced,
}

/// Adds a target, or replaces what a person chose of it.
async fn put(db: &mut SqliteConnection, sealed: &Sealed) -> Result<Put> {
    if write_choices(db, sealed).await? > 0 {
        return Ok(Put::Replaced);
    }
    // A target of another session is not taken over.
    sqlx::query(
        "INSERT INTO targets (id, session, is_default, url, secret, paused_until_ms, failures)
         VALUES (?, ?, ?, '', ?, 0, 0)",
    )
    .bind(sealed.target.id.as_str())
    .bind(sealed.target.session.as_str())
    .bind(sealed.target.is_default)
    .bind(&sealed.secret)
    .execute(&mut *db)
    .await
    .map_err(or_exists(WHAT))?;
    write_choices(db, sealed).await?;
    Ok(Put::Added)
}

/// Writes what a person chose of a target; answers how many there are.
async fn write_choices(db: &mut SqliteConnection, sealed: &Sealed) -> Result<u64> {
    let Target { id, session, url, options, old_secret, .. } = &sealed.target;
    let done = sqlx::query(
        "UPDATE targets SET url = ?, secret = ?, old_secret = ?, old_secret_until_ms = ?, enabled = ?, kinds = ?,
             payload = ?, ordering = ?, concurrency = ?
         WHERE id = ? AND session = ?",
    )
    .bind(url)
    .bind(&sealed.secret)
    .bind(&sealed.old_secret)
    .bind(old_secret.as_ref().map(|old| old.until_ms))
    .bind(options.enabled)
    .bind(options.events.as_deref().map(kinds_text))
    .bind(options.payload.map(|payload| payload.as_str()))
    .bind(options.order.as_str())
    .bind(options.concurrency)
    .bind(id.as_str())
    .bind(session.as_str())
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

async fn write_health(db: &mut SqliteConnection, id: &TargetId, health: &TargetHealth) -> Result<()> {
    sqlx::query(
        "UPDATE targets SET paused_until_ms = ?, failures = ?, failing_since_ms = ?, stopped_ms = ? WHERE id = ?",
    )
    .bind(health.paused_until_ms)
    .bind(health.failures)
    .bind(health.failing_since_ms)
    .bind(health.stopped_ms)
    .bind(id.as_str())
    .execute(db)
    .await?;
    Ok(())
}

/// Applies what an attempt says of its target. Answers URL and health from now
/// on if they changed, and whether the notice is called for.
pub(super) async fn apply(
    db: &mut SqliteConnection,
    id: &TargetId,
    report: &TargetReport,
) -> Result<(Option<(String, TargetHealth)>, bool)> {
    let row = sqlx::query("SELECT * FROM targets WHERE id = ? AND url = ?")
        .bind(id.as_str())
        .bind(&report.url)
        .fetch_optional(&mut *db)
        .await?;
    // Removed, or given another URL meanwhile.
    let Some(row) = row else { return Ok((None, false)) };
    let before = health_of(&row)?;
    let mut after = before.after(report.outcome, report.now_ms);
    let gone = report.outcome == Outcome::Gone;
    let mut noticed = gone && report.notice.is_some();
    if !gone && report.notice.is_some() && before.stopped_ms.is_none() {
        after.stopped_ms = Some(report.now_ms);
        noticed = true;
    }
    let url = if gone { String::new() } else { report.url.clone() };
    if gone {
        sqlx::query("UPDATE targets SET url = '' WHERE id = ?").bind(id.as_str()).execute(&mut *db).await?;
    }
    if after != before {
        write_health(db, id, &after).await?;
    }
    Ok(((gone || after != before).then_some((url, after)), noticed))
}

/// The place a target's secret is sealed for.
pub(crate) fn place(id: &TargetId) -> Vec<u8> {
    format!("targets/secret/{id}").into_bytes()
}

/// The place a secret that is being replaced is sealed for.
pub(crate) fn old_place(id: &TargetId) -> Vec<u8> {
    format!("targets/old-secret/{id}").into_bytes()
}

fn health_of(row: &SqliteRow) -> Result<TargetHealth> {
    Ok(TargetHealth {
        paused_until_ms: row.try_get("paused_until_ms")?,
        failures: number(row, WHAT, "failures")?,
        failing_since_ms: row.try_get("failing_since_ms")?,
        stopped_ms: row.try_get("stopped_ms")?,
    })
}

fn options_of(row: &SqliteRow) -> Result<TargetOptions> {
    let kinds: Option<&str> = row.try_get("kinds")?;
    let payload: Option<&str> = row.try_get("payload")?;
    let concurrency: Option<i64> = row.try_get("concurrency")?;
    Ok(TargetOptions {
        enabled: row.try_get("enabled")?,
        events: kinds.map(|kinds| kinds_of(WHAT, kinds)).transpose()?,
        payload: payload.map(|payload| parse(WHAT, payload)).transpose()?,
        order: parse(WHAT, text(row, "ordering")?)?,
        concurrency: concurrency.map(u32::try_from).transpose().map_err(|error| corrupt(WHAT, error))?,
    })
}

fn target_of(row: &SqliteRow, cipher: &Cipher) -> Result<Target> {
    let id: TargetId = parse(WHAT, text(row, "id")?)?;
    let open = |place: &[u8], sealed: &[u8]| {
        String::from_utf8(cipher.open(place, sealed)?).map_err(|_| corrupt(WHAT, "its secret is not text"))
    };
    let old: Option<&[u8]> = row.try_get("old_secret")?;
    let until_ms: Option<Millis> = row.try_get("old_secret_until_ms")?;
    let old_secret = match (old, until_ms) {
        (Some(sealed), Some(until_ms)) => Some(OldSecret { secret: open(&old_place(&id), sealed)?, until_ms }),
        _ => None,
    };
    Ok(Target {
        session: parse(WHAT, text(row, "session")?)?,
        url: row.try_get("url")?,
        secret: open(&place(&id), row.try_get("secret")?)?,
        old_secret,
        is_default: row.try_get("is_default")?,
        options: options_of(row)?,
        health: health_of(row)?,
        id,
    })
}
