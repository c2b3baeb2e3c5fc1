//! The shelf: files in a folder, sealed and in the clear.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path as Name;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, UploadPart,
};
use sha2::{Digest, Sha256};
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use warest_model::id::MediaId;
use warest_store::media::{FileStream, MediaShelf, ObjectShelf, ShelfError, ShelfOptions, object_name};
use warest_store::secret::{Cipher, MasterKey};

const NOW: i64 = 1_700_000_000_000;
const MOST: u64 = 1 << 30;

fn cipher(byte: u8) -> Cipher {
    Cipher::new(&MasterKey::from_bytes([byte; 32]))
}

struct Folder {
    folder: tempfile::TempDir,
    shelf: ObjectShelf,
}

fn folder(seal: bool) -> Folder {
    let folder = tempfile::tempdir().unwrap();
    let shelf = shelf(&folder, 7, seal);
    Folder { folder, shelf }
}

fn shelf(folder: &tempfile::TempDir, key: u8, seal: bool) -> ObjectShelf {
    let options = ShelfOptions { seal, ..ShelfOptions::default() };
    ObjectShelf::in_folder(&folder.path().join("media"), &cipher(key), &options).unwrap()
}

impl Folder {
    fn file(&self, object: &str) -> PathBuf {
        self.folder.path().join("media").join(object)
    }
}

fn stream(bytes: &[u8], piece: usize) -> FileStream {
    let pieces: Vec<_> = bytes.chunks(piece.max(1)).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces).boxed()
}

async fn read(shelf: &dyn MediaShelf, object: &str, range: Option<Range<u64>>) -> io::Result<Vec<u8>> {
    let opened = shelf.open(object, range).await.map_err(io::Error::other)?;
    opened
        .stream
        .try_fold(Vec::new(), |mut all, piece| async move {
            all.extend_from_slice(&piece);
            Ok(all)
        })
        .await
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[tokio::test]
async fn what_goes_in_comes_out_whole_and_in_parts() {
    for seal in [true, false] {
        let there = folder(seal);
        for (number, length) in
            [0, 1, 65_535, 65_536, 65_537, 131_072, (1 << 20) + 9, (5 << 20) + 7].into_iter().enumerate()
        {
            let bytes = noise(length);
            let name = format!("sessions/s/media/{number}");
            let shelved = there.shelf.put(&name, stream(&bytes, 50_001), MOST).await.unwrap();
            assert_eq!((shelved.size, shelved.sha256), (length as u64, hex::encode(Sha256::digest(&bytes))));
            assert_eq!(there.shelf.size(&shelved.object).await.unwrap(), Some(length as u64));
            assert_eq!(there.shelf.open(&shelved.object, None).await.unwrap().size, length as u64);
            assert!(read(&there.shelf, &shelved.object, None).await.unwrap() == bytes, "{length}, sealed: {seal}");
            let length = length as u64;
            for range in [
                0..1,
                0..length,
                65_530..65_540,
                65_536..65_537,
                length.saturating_sub(3)..length + 9,
                7..7,
                length + 5..length + 9,
            ] {
                let part = read(&there.shelf, &shelved.object, Some(range.clone())).await.unwrap();
                let (end, start) = (range.end.min(length), range.start.min(range.end.min(length)));
                assert!(part == bytes[start as usize..end as usize], "{range:?} of {length}, sealed: {seal}");
            }
        }
    }
}

#[tokio::test]
async fn a_sealed_file_shows_nothing_and_opens_only_with_its_key_and_under_its_name() {
    let there = folder(true);
    let secret = b"what nobody else is to read".repeat(10);
    let one = there.shelf.put("a/one", stream(&secret, 100), MOST).await.unwrap().object;
    let two = there.shelf.put("a/two", stream(&secret, 100), MOST).await.unwrap().object;
    let on_disk = std::fs::read(there.file(&one)).unwrap();
    assert!(!on_disk.windows(9).any(|window| window == b"nobody el"));
    assert!(read(&shelf(&there.folder, 8, true), &one, None).await.is_err(), "another master key");
    assert_eq!(read(&shelf(&there.folder, 7, false), &one, None).await.unwrap(), secret, "also once sealing is off");
    std::fs::copy(there.file(&one), there.file(&two)).unwrap();
    assert!(read(&there.shelf, &two, None).await.is_err(), "a file in the place of another");
    // A file in the clear does not pass for a sealed one.
    std::fs::write(there.file(&one), &secret).unwrap();
    assert!(read(&there.shelf, &one, None).await.is_err());
}

#[tokio::test]
async fn a_file_that_was_changed_or_cut_is_an_error() {
    let there = folder(true);
    let bytes = noise(3 * 65_536 + 100);
    let object = there.shelf.put("a/b", stream(&bytes, 1 << 20), MOST).await.unwrap().object;
    let (file, sealed) = (there.file(&object), 65_536 + 16);
    let whole = std::fs::read(&file).unwrap();
    let segment = |number: usize| 36 + number * sealed..36 + (number + 1) * sealed;
    let swapped = [&whole[..36], &whole[segment(1)], &whole[segment(0)], &whole[36 + 2 * sealed..]].concat();
    let missing = [&whole[..36], &whole[segment(1).start..]].concat();
    let twice = [&whole[..36 + sealed], &whole[segment(0)], &whole[36 + sealed..]].concat();
    let mut cases = vec![
        ("cut in a segment", whole[..whole.len() - 1].to_vec()),
        ("cut between segments", whole[..36 + 3 * sealed].to_vec()),
        ("cut to one segment", whole[..36 + sealed].to_vec()),
        ("cut to its header", whole[..36].to_vec()),
        ("empty", Vec::new()),
        ("longer", [whole.as_slice(), &[0]].concat()),
        ("segments swapped", swapped),
        ("a segment missing", missing),
        ("a segment twice", twice),
    ];
    for at in [0, 10, 36, 40_000, 36 + sealed + 5, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        cases.push(("a bit changed", changed));
    }
    for (case, bytes) in cases {
        std::fs::write(&file, bytes).unwrap();
        let read = read(&there.shelf, &object, None).await;
        assert!(read.is_err(), "{case}");
    }
    std::fs::write(&file, &whole).unwrap();
    assert!(read(&there.shelf, &object, None).await.unwrap() == bytes);
    let mut changed = whole;
    changed[36 + 2 * sealed] ^= 1;
    std::fs::write(&file, changed).unwrap();
    let error = read(&there.shelf, &object, Some(140_000..150_000)).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(read(&there.shelf, &object, Some(0..65_536)).await.is_ok(), "what is whole is read");
}

#[tokio::test]
async fn what_does_not_end_well_leaves_nothing() {
    let there = folder(true);
    let large = noise(6 << 20);
    let refused = there.shelf.put("a/large", stream(&large, 1 << 16), 5 << 20).await;
    assert!(matches!(refused, Err(ShelfError::TooLarge { most }) if most == 5 << 20), "{refused:?}");
    let pieces = vec![Ok(Bytes::from(large)), Err(io::Error::other("the connection was lost"))];
    let cut = there.shelf.put("a/cut", stream::iter(pieces).boxed(), MOST).await;
    assert!(matches!(cut, Err(ShelfError::Source(_))), "{cut:?}");
    assert_eq!(there.shelf.objects().try_collect::<Vec<_>>().await.unwrap(), []);
    let mut files = vec![];
    if let Ok(entries) = std::fs::read_dir(there.file("a")) {
        files.extend(entries);
    }
    assert!(files.is_empty(), "{files:?}");
    let missing = there.shelf.open("a/large.sealed", None).await;
    assert!(matches!(missing, Err(ShelfError::NotFound)));
    assert_eq!(there.shelf.size("a/large.sealed").await.unwrap(), None);
    there.shelf.remove("a/large.sealed").await.unwrap();
}

#[tokio::test]
async fn what_a_crash_left_is_swept_and_what_has_a_name_is_listed() {
    let there = folder(true);
    let session = "..".parse().unwrap();
    let name = object_name(&session, &MediaId::new(NOW), NOW);
    let object = there.shelf.put(&name, stream(b"x", 1), MOST).await.unwrap().object;
    let listed: Vec<_> = there.shelf.objects().try_collect().await.unwrap();
    assert_eq!((listed.len(), listed[0].name.as_str()), (1, object.as_str()));
    // As the object store leaves it when the process ends while it writes.
    let begun = there.file("sessions/cut/media/med_X#1");
    std::fs::create_dir_all(begun.parent().unwrap()).unwrap();
    std::fs::write(&begun, b"half").unwrap();
    assert_eq!(there.shelf.objects().count().await, 1, "it has no name");
    assert_eq!(there.shelf.sweep(0).await.unwrap(), 0, "it may be being written");
    let later = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap() + 60_000;
    assert_eq!(there.shelf.sweep(later).await.unwrap(), 1);
    assert!(!begun.exists() && there.shelf.size(&object).await.unwrap().is_some());
    there.shelf.remove(&object).await.unwrap();
    assert_eq!(there.shelf.objects().count().await, 0);
}

#[cfg(unix)]
#[tokio::test]
async fn the_folder_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let there = folder(false);
    assert_eq!(there.file("").metadata().unwrap().permissions().mode() & 0o077, 0);
}

#[test]
fn a_link_opens_its_file_until_its_time_is_over() {
    let there = folder(true);
    let (id, other) = (MediaId::new(NOW), MediaId::new(NOW));
    let signature = there.shelf.sign(&id, NOW + 10);
    assert_eq!(signature.len(), 64);
    assert!(there.shelf.verify(&id, NOW + 10, &signature, NOW + 9));
    assert!(!there.shelf.verify(&id, NOW + 10, &signature, NOW + 10), "its time is over");
    assert!(!there.shelf.verify(&id, NOW + 11, &signature, NOW), "another time");
    assert!(!there.shelf.verify(&other, NOW + 10, &signature, NOW), "another file");
    for wrong in ["", "zz", &signature[..62], &format!("{signature}00"), &"00".repeat(32)] {
        assert!(!there.shelf.verify(&id, NOW + 10, wrong, NOW), "{wrong:?}");
    }
    assert!(!shelf(&there.folder, 8, true).verify(&id, NOW + 10, &signature, NOW), "another key");
    let with = |secret: &str| {
        let options = ShelfOptions { seal: true, signing_secret: Some(secret.to_owned()) };
        ObjectShelf::in_folder(there.folder.path(), &cipher(7), &options).unwrap()
    };
    let signed = with("one").sign(&id, NOW + 10);
    assert!(with("one").verify(&id, NOW + 10, &signed, NOW) && !with("two").verify(&id, NOW + 10, &signed, NOW));
}

/// Counts what it is given at once.
#[derive(Debug)]
struct Counting {
    inner: InMemory,
    largest: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct CountingUpload(Box<dyn MultipartUpload>, Arc<AtomicUsize>);

#[async_trait]
impl MultipartUpload for CountingUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.1.fetch_max(data.content_length(), Ordering::Relaxed);
        self.0.put_part(data)
    }
    async fn complete(&mut self) -> object_store::Result<PutResult> {
        self.0.complete().await
    }
    async fn abort(&mut self) -> object_store::Result<()> {
        self.0.abort().await
    }
}

impl std::fmt::Display for Counting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counting")
    }
}

#[async_trait]
impl ObjectStore for Counting {
    async fn put_opts(&self, at: &Name, payload: PutPayload, options: PutOptions) -> object_store::Result<PutResult> {
        self.largest.fetch_max(payload.content_length(), Ordering::Relaxed);
        self.inner.put_opts(at, payload, options).await
    }
    async fn put_multipart_opts(
        &self,
        at: &Name,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        let upload = self.inner.put_multipart_opts(at, options).await?;
        Ok(Box::new(CountingUpload(upload, self.largest.clone())))
    }
    async fn get_opts(&self, at: &Name, options: GetOptions) -> object_store::Result<GetResult> {
        let head = options.head;
        let got = self.inner.get_opts(at, options).await?;
        let read = if head { 0 } else { got.range.end - got.range.start };
        self.largest.fetch_max(read as usize, Ordering::Relaxed);
        Ok(got)
    }
    fn delete_stream(
        &self,
        places: BoxStream<'static, object_store::Result<Name>>,
    ) -> BoxStream<'static, object_store::Result<Name>> {
        self.inner.delete_stream(places)
    }
    fn list(&self, prefix: Option<&Name>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }
    async fn list_with_delimiter(&self, prefix: Option<&Name>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Name, to: &Name, options: CopyOptions) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[tokio::test]
async fn a_large_file_goes_through_with_little_memory() {
    // Sealing takes its time in a build for tests; it is the pieces that count.
    const SIZE: usize = 12 << 20;
    let largest = Arc::new(AtomicUsize::new(0));
    let objects = Arc::new(Counting { inner: InMemory::new(), largest: largest.clone() });
    let options = ShelfOptions { seal: true, ..ShelfOptions::default() };
    let shelf = ObjectShelf::on(objects, &cipher(7), &options).unwrap();
    let piece = Bytes::from(noise(1 << 20));
    let pieces = stream::iter(std::iter::repeat_n(piece, SIZE >> 20).map(Ok));
    let shelved = shelf.put("large", pieces.boxed(), MOST).await.unwrap();
    assert_eq!(shelved.size, SIZE as u64);
    assert!(largest.swap(0, Ordering::Relaxed) <= 5 << 20, "what is written at once is bounded");
    let opened = shelf.open(&shelved.object, None).await.unwrap();
    let (hash, longest) = opened
        .stream
        .try_fold((Sha256::new(), 0), |(mut hash, longest), piece| async move {
            hash.update(&piece);
            Ok((hash, longest.max(piece.len())))
        })
        .await
        .unwrap();
    assert_eq!(hex::encode(hash.finalize()), shelved.sha256);
    assert!(longest <= 64 << 10, "pieces are small: {longest}");
    assert!(largest.load(Ordering::Relaxed) <= (1 << 20) + 4_096, "what is read at once is bounded");
}
