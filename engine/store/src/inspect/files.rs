//! The list of files, for whoever compares it with what lies on the shelf.

use super::Inspector;
use crate::Result;
use sqlx::QueryBuilder;
use sqlx::sqlite::Sqlite;

/// A file that should be on the shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Its position in the list.
    pub seq: i64,
    /// Its id.
    pub id: String,
    /// Its name on the shelf.
    pub object: String,
    /// In bytes.
    pub size: u64,
}

impl Inspector {
    /// Files that should be on the shelf, behind a position, in order.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn stored_files(&mut self, after: i64, limit: u32) -> Result<Vec<StoredFile>> {
        self.allow(self.each);
        let rows: Vec<(i64, String, String, i64)> = sqlx::query_as(
            "SELECT seq, id, coalesce(object, ''), size FROM media WHERE state = 'stored' AND seq > ?
             ORDER BY seq LIMIT ?",
        )
        .bind(after)
        .bind(limit)
        .fetch_all(&mut self.db)
        .await?;
        let file = |(seq, id, object, size): (i64, String, String, i64)| StoredFile {
            seq,
            id,
            object,
            size: size.max(0).unsigned_abs(),
        };
        Ok(rows.into_iter().map(file).collect())
    }

    /// Which of these objects the list knows of, in the order asked.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn known_objects(&mut self, objects: &[String]) -> Result<Vec<bool>> {
        self.allow(self.each);
        if objects.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT object FROM media WHERE object IN (");
        let mut list = sql.separated(", ");
        for object in objects {
            list.push_bind(object);
        }
        sql.push(")");
        let known: Vec<String> = sql.build_query_scalar().fetch_all(&mut self.db).await?;
        Ok(objects.iter().map(|object| known.contains(object)).collect())
    }

    /// Notes that a file is not on the shelf: one of a message is fetched again when
    /// somebody asks for it, an upload is gone. Whether it was still listed.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn file_is_lost(&mut self, file: &StoredFile) -> Result<bool> {
        self.allow(self.each);
        let lost = sqlx::query(
            "UPDATE media SET state = iif(message IS NULL, 'gone', 'remote'), object = NULL
             WHERE seq = ? AND state = 'stored' AND object = ?",
        );
        Ok(lost.bind(file.seq).bind(&file.object).execute(&mut self.db).await?.rows_affected() > 0)
    }
}
