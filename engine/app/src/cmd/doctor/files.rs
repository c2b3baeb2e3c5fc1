//! Whether the files that the store lists lie on the shelf, and no others.
//!
//! A file is put on the shelf before it is listed: one that is not listed is left of
//! a crash, or of a store that was restored without its files.

use futures::TryStreamExt;
use std::path::Path;
use std::time::{Duration, Instant};
use warest_model::clock::Millis;
use warest_store::inspect::{Finding, Inspector, Outcome};
use warest_store::media::{MediaShelf, ObjectShelf, ShelfError, ShelfOptions};
use warest_store::secret::{Cipher, MasterKey};

/// Rows, and files, that are compared in one go.
const PIECE: usize = 200;
/// Things that are counted; beyond that there are "more".
const COUNTED: usize = 1_000;
/// A file that was put on the shelf so lately may be about to be listed.
const FRESH_MS: Millis = 3_600_000;

/// Both sides of the list.
pub struct Files<'a> {
    /// The store.
    pub store: &'a mut Inspector,
    /// The folder of the files.
    pub folder: &'a Path,
    /// The master key, if there is one.
    pub key: Option<&'a Cipher>,
    /// Longest time of one check.
    pub each: Duration,
    /// Whether what can be repaired safely is.
    pub repair: bool,
}

/// Why a check has no outcome.
enum Failed {
    Late,
    Other(String),
}

impl Files<'_> {
    /// Does both checks: files that are missing, and files that nobody lists.
    pub async fn check(mut self, now_ms: Millis) -> [(&'static str, Outcome); 2] {
        let missing = outcome(self.missing().await);
        let unlisted = outcome(self.unlisted(now_ms).await);
        [("file_object", missing), ("object_file", unlisted)]
    }

    /// The shelf; none if there is no such folder.
    fn shelf(&self) -> Result<Option<ObjectShelf>, ShelfError> {
        if !self.folder.is_dir() {
            return Ok(None);
        }
        // Sizes and names are told without a key.
        let none = || Cipher::new(&MasterKey::random());
        let cipher = self.key.cloned().unwrap_or_else(none);
        ObjectShelf::in_folder(self.folder, &cipher, &ShelfOptions::default()).map(Some)
    }

    async fn missing(&mut self) -> Result<Option<Finding>, Failed> {
        let (until, shelf) = (Instant::now() + self.each, self.shelf()?);
        let (mut after, mut lost) = (0, Vec::new());
        while lost.len() <= COUNTED {
            let rows = self.store.stored_files(after, PIECE as u32).await?;
            let Some(last) = rows.last() else { break };
            after = last.seq;
            for row in rows {
                let there = match &shelf {
                    // One that was cut has no size any more.
                    Some(shelf) => match shelf.size(&row.object).await {
                        Ok(size) => size,
                        Err(ShelfError::Damaged { .. } | ShelfError::NotFound) => None,
                        Err(error) => return Err(error.into()),
                    },
                    None => None,
                };
                if there != Some(row.size) {
                    lost.push(row);
                }
            }
            if Instant::now() >= until {
                return Err(Failed::Late);
            }
        }
        let mut repaired = None;
        if self.repair {
            let mut noted = 0;
            for row in &lost {
                noted += u64::from(self.store.file_is_lost(row).await?);
            }
            repaired = Some(noted);
        }
        let shown = lost.into_iter().map(|row| format!("{} ({})", row.id, row.object)).collect();
        let finding = Finding::about(
            "files that are listed and do not lie in the storage, or not whole",
            "restore them from a backup of the storage; with --fix, those of messages are fetched from WhatsApp again \
             when somebody asks for them, and uploads are gone",
            shown,
        );
        Ok(finding.map(|finding| Finding { repaired, ..finding }))
    }

    async fn unlisted(&mut self, now_ms: Millis) -> Result<Option<Finding>, Failed> {
        let until = Instant::now() + self.each;
        let Some(shelf) = self.shelf()? else { return Ok(None) };
        let (mut objects, mut unlisted, mut more) = (shelf.objects(), Vec::new(), true);
        while more && unlisted.len() <= COUNTED {
            let mut piece = Vec::with_capacity(PIECE);
            while piece.len() < PIECE && more {
                match objects.try_next().await? {
                    Some(object) if object.written_ms < now_ms - FRESH_MS => piece.push(object.name),
                    Some(_) => {}
                    None => more = false,
                }
            }
            let known = self.store.known_objects(&piece).await?;
            unlisted.extend(piece.into_iter().zip(known).filter(|(_, known)| !known).map(|(name, _)| name));
            if Instant::now() >= until {
                return Err(Failed::Late);
            }
        }
        let mut repaired = None;
        if self.repair {
            for name in &unlisted {
                shelf.remove(name).await?;
            }
            repaired = Some(unlisted.len() as u64);
        }
        let finding = Finding::about(
            "files in the storage that are not listed",
            "a crash leaves one now and then; many mean that the database is older than the storage, or another one: \
             make sure that it is the right one, then --fix removes them",
            unlisted,
        );
        Ok(finding.map(|finding| Finding { repaired, ..finding }))
    }
}

fn outcome(looked: Result<Option<Finding>, Failed>) -> Outcome {
    match looked {
        Ok(None) => Outcome::Sound,
        Ok(Some(finding)) => Outcome::Found(finding),
        Err(Failed::Late) => Outcome::Unknown("it was not through in time".to_owned()),
        Err(Failed::Other(why)) => Outcome::Unknown(why),
    }
}

impl From<ShelfError> for Failed {
    fn from(error: ShelfError) -> Self {
        Self::Other(error.to_string())
    }
}

impl From<warest_store::StoreError> for Failed {
    fn from(error: warest_store::StoreError) -> Self {
        Self::Other(error.to_string())
    }
}
