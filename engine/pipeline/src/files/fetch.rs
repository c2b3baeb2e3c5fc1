//! A media file from where its message says it is: a URL, a `data:` URL, or the
//! engine's storage. It ends as a temporary file, whatever its size; bytes pass
//! through in pieces.
//!
//! URLs are others' words: each is checked by the egress policy, redirects
//! included, and what comes back is bounded in size and time.

use crate::egress::{Egress, EgressError, refusal};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use futures::StreamExt as _;
use reqwest::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION};
use reqwest::{Method, Response};
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::{NamedTempFile, TempPath};
use tokio::io::AsyncWriteExt as _;
use url::Url;
use warest_model::content::MediaSource;
use warest_model::fault::Fault;
use warest_model::id::MediaId;
use warest_store::media::{MediaShelf, MediaState, ShelfError};
use warest_store::{Store, StoreError};

/// Redirects that are followed.
const REDIRECTS: usize = 5;
/// Longest name that is taken from elsewhere, in characters.
const NAME_CHARS: usize = 255;

/// Bounds of a fetch.
#[derive(Debug, Clone)]
pub struct FetchConfig {
    /// Largest file, in bytes.
    pub most_bytes: u64,
    /// For one file, from the look-up of the name to the last byte.
    pub timeout: Duration,
    /// Where temporary files are.
    pub temp_dir: PathBuf,
}

impl Default for FetchConfig {
    fn default() -> Self {
        Self { most_bytes: 1_024 << 20, timeout: Duration::from_secs(300), temp_dir: std::env::temp_dir() }
    }
}

/// A file that was fetched; it goes when this is dropped.
#[derive(Debug)]
pub struct Fetched {
    /// Where it is.
    pub file: TempPath,
    /// Its type, as its source says.
    pub mime: Option<String>,
    /// Its name, as its source says.
    pub name: Option<String>,
}

/// Fetches files. Cheap to clone.
#[derive(Clone)]
pub struct Fetcher {
    egress: Egress,
    store: Arc<dyn Store>,
    shelf: Arc<dyn MediaShelf>,
    config: FetchConfig,
}

impl Fetcher {
    /// With the bounds of `config`.
    pub fn new(egress: Egress, store: Arc<dyn Store>, shelf: Arc<dyn MediaShelf>, config: FetchConfig) -> Self {
        Self { egress, store, shelf, config }
    }

    /// The same within other bounds, for files that are not sent.
    pub fn within(&self, most_bytes: u64, timeout: Duration) -> Self {
        Self { config: FetchConfig { most_bytes, timeout, ..self.config.clone() }, ..self.clone() }
    }

    /// The bounds.
    pub fn config(&self) -> &FetchConfig {
        &self.config
    }

    /// Fetches a file.
    ///
    /// # Errors
    /// `url_invalid`, `url_refused`, `media_too_large`, `media_unavailable` and
    /// `media_unknown` are final; `media_fetch_failed` may pass.
    pub async fn fetch(&self, source: &MediaSource) -> Result<Fetched, Fault> {
        match source {
            MediaSource::Stored(id) => self.stored(id).await,
            MediaSource::Url(url) if url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:")) => {
                self.inline(&url[5..]).await
            }
            MediaSource::Url(url) => tokio::time::timeout(self.config.timeout, self.remote(url))
                .await
                .unwrap_or_else(|_| Err(self.too_slow())),
        }
    }

    async fn stored(&self, id: &MediaId) -> Result<Fetched, Fault> {
        let unknown = || Fault::fail("media_unknown", format!("there is no file {id} in the storage"));
        let store_failed = |error: StoreError| Fault::retry("store_failed", error.to_string());
        let row = self.store.media(id).await.map_err(store_failed)?.ok_or_else(unknown)?;
        let object = row.object.filter(|_| row.state == MediaState::Stored).ok_or_else(unknown)?;
        let mut opened = self.shelf.open(&object, None).await.map_err(off_the_shelf)?;
        let mut sink = Sink::new(&self.config)?;
        while let Some(piece) = opened.stream.next().await {
            sink.write(&piece.map_err(failed)?).await?;
        }
        Ok(Fetched { file: sink.end().await?, mime: Some(row.media.mimetype), name: row.media.file_name })
    }

    /// `[type][;base64],bytes`.
    async fn inline(&self, text: &str) -> Result<Fetched, Fault> {
        let bad = |why: &str| Fault::fail("url_invalid", format!("the data URL cannot be read: {why}"));
        let (head, body) = text.split_once(',').ok_or_else(|| bad("it has no comma"))?;
        let mime = head.split(';').next().filter(|mime| mime.contains('/')).map(str::to_owned);
        let bytes = if head.ends_with(";base64") {
            decode(body).ok_or_else(|| bad("it is not base64"))?
        } else {
            percent_encoding::percent_decode_str(body).collect()
        };
        let mut sink = Sink::new(&self.config)?;
        sink.write(&bytes).await?;
        Ok(Fetched { file: sink.end().await?, mime, name: None })
    }

    async fn remote(&self, url: &str) -> Result<Fetched, Fault> {
        let mut url = url.to_owned();
        for _ in 0..=REDIRECTS {
            let request = self.egress.request(Method::GET, &url).await.map_err(refused)?;
            let answer = request.timeout(self.config.timeout).send().await.map_err(|error| self.broken(error))?;
            match next_url(&url, &answer) {
                Some(next) => url = next?,
                None => return self.body(&url, answer).await,
            }
        }
        Err(Fault::fail("media_unavailable", format!("the URL redirects more than {REDIRECTS} times")))
    }

    async fn body(&self, url: &str, answer: Response) -> Result<Fetched, Fault> {
        let status = answer.status();
        if !status.is_success() {
            let message = format!("the URL answered {}", status.as_u16());
            let passes = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
            return Err(if passes { failed(message) } else { Fault::fail("media_unavailable", message) });
        }
        let announced = answer.content_length().unwrap_or_default();
        if announced > self.config.most_bytes {
            return Err(too_large(self.config.most_bytes));
        }
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let mime = header(CONTENT_TYPE)
            .map(|text| text.split(';').next().unwrap_or(text).trim().to_ascii_lowercase())
            .filter(|mime| mime.contains('/') && mime != "application/octet-stream");
        let name = header(CONTENT_DISPOSITION).and_then(disposition_name).or_else(|| path_name(url));
        let mut sink = Sink::new(&self.config)?;
        let mut pieces = answer.bytes_stream();
        while let Some(piece) = pieces.next().await {
            // A body shorter than was announced is an error, too.
            sink.write(&piece.map_err(|error| self.broken(error))?).await?;
        }
        Ok(Fetched { file: sink.end().await?, mime, name })
    }

    /// Why an exchange did not come to its end.
    fn broken(&self, error: reqwest::Error) -> Fault {
        match refusal(&error) {
            Some(refusal) => refused(refusal),
            // The client's clock and ours run out at the same time.
            None if error.is_timeout() => self.too_slow(),
            None => {
                let error = error.without_url();
                failed(format!("{error}: {}", root(&error)))
            }
        }
    }

    fn too_slow(&self) -> Fault {
        failed(format!("it took longer than {} s", self.config.timeout.as_secs()))
    }
}

/// Writes pieces to a temporary file, up to the bound.
struct Sink {
    file: tokio::fs::File,
    path: TempPath,
    written: u64,
    most: u64,
}

impl Sink {
    fn new(config: &FetchConfig) -> Result<Self, Fault> {
        let made = std::fs::create_dir_all(&config.temp_dir).and_then(|()| NamedTempFile::new_in(&config.temp_dir));
        let (file, path) = made.map_err(not_written)?.into_parts();
        Ok(Self { file: tokio::fs::File::from_std(file), path, written: 0, most: config.most_bytes })
    }

    async fn write(&mut self, piece: &[u8]) -> Result<(), Fault> {
        self.written += piece.len() as u64;
        if self.written > self.most {
            return Err(too_large(self.most));
        }
        self.file.write_all(piece).await.map_err(not_written)
    }

    async fn end(mut self) -> Result<TempPath, Fault> {
        self.file.flush().await.map_err(not_written)?;
        if self.written == 0 {
            return Err(Fault::fail("media_unavailable", "the file is empty"));
        }
        Ok(self.path)
    }
}

/// Base64 with or without padding and line breaks.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(&text).or_else(|_| STANDARD_NO_PAD.decode(&text)).ok()
}

fn next_url(url: &str, answer: &Response) -> Option<Result<String, Fault>> {
    if !answer.status().is_redirection() {
        return None;
    }
    let location = answer.headers().get(LOCATION)?.to_str().ok()?;
    let joined = Url::parse(url).and_then(|base| base.join(location));
    Some(joined.map(String::from).map_err(|_| Fault::fail("media_unavailable", "the URL redirects to nowhere")))
}

fn disposition_name(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("filename=")?;
    let name = rest.split(';').next()?.trim().trim_matches('"');
    clean(name)
}

fn path_name(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let last = url.path_segments()?.next_back()?;
    let name = percent_encoding::percent_decode_str(last).decode_utf8().ok()?;
    clean(&name).filter(|name| name.contains('.'))
}

/// A name without a path and without what no name has.
fn clean(name: &str) -> Option<String> {
    let name = name.rsplit(['/', '\\']).next()?;
    let name: String = name.chars().filter(|c| !c.is_control()).take(NAME_CHARS).collect();
    Some(name).filter(|name| !name.is_empty())
}

fn refused(error: EgressError) -> Fault {
    if error.may_pass() { failed(error.to_string()) } else { Fault::fail("url_refused", error.to_string()) }
}

/// What an error comes from: the client's own words only say at what point it was.
fn root<'a>(mut error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

fn failed(why: impl std::fmt::Display) -> Fault {
    Fault::retry("media_fetch_failed", format!("the file could not be fetched: {why}"))
}

fn off_the_shelf(error: ShelfError) -> Fault {
    match error {
        ShelfError::NotFound => Fault::fail("media_unknown", error.to_string()),
        ShelfError::Damaged { .. } => Fault::fail("media_corrupt", error.to_string()),
        ShelfError::TooLarge { .. } | ShelfError::Source(_) | ShelfError::Storage(_) => failed(error),
    }
}

fn not_written(error: std::io::Error) -> Fault {
    Fault::retry("media_fetch_failed", format!("the file could not be kept for sending: {error}"))
}

fn too_large(most: u64) -> Fault {
    Fault::fail("media_too_large", format!("a file may have at most {} MB", most >> 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_without_paths() {
        assert_eq!(path_name("https://a.example/x/report%201.pdf?x=1").as_deref(), Some("report 1.pdf"));
        assert_eq!(path_name("https://a.example/picture"), None);
        assert_eq!(disposition_name("attachment; filename=\"../../etc/x.pdf\"").as_deref(), Some("x.pdf"));
        assert_eq!(disposition_name("attachment; filename=\"\""), None);
    }

    #[test]
    fn base64_is_read_in_both_forms() {
        assert_eq!(decode("aGk=").as_deref(), Some(&b"hi"[..]));
        assert_eq!(decode("aG\nk").as_deref(), Some(&b"hi"[..]));
        assert_eq!(decode("!"), None);
    }
}
