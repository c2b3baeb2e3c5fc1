//! WebP's container: reading what a file claims to be, and writing animations
//! and sticker metadata. Pictures inside are libwebp's business.

use crate::error::MediaError;
use std::io::{Read, Seek, SeekFrom};

/// Most chunks that are looked at.
const CHUNKS: usize = 20_000;
const ANIMATED: u8 = 0x02;
const EXIF: u8 = 0x08;
const ALPHA: u8 = 0x10;

/// What a WebP file's chunks say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct WebP {
    pub width: u32,
    pub height: u32,
    /// Pictures in it; 1 if it does not move.
    pub frames: u32,
    /// Playing time of an animation.
    pub milliseconds: u32,
}

/// Walks the chunks of a WebP file; one that breaks off is an error.
pub(crate) fn read(file: &mut (impl Read + Seek)) -> Result<WebP, MediaError> {
    let broken = |_| MediaError::corrupt("the WebP ends before it should");
    let mut head = [0; 12];
    file.read_exact(&mut head).map_err(broken)?;
    let end = 8 + u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
    let size = file.seek(SeekFrom::End(0))?;
    if end > size {
        return Err(MediaError::corrupt("the WebP ends before it should"));
    }
    let mut webp = WebP::default();
    let mut at = 12_u64;
    for _ in 0..CHUNKS {
        if at + 8 > end {
            break;
        }
        file.seek(SeekFrom::Start(at))?;
        let mut chunk = [0; 8 + 16];
        let there = (end - at).min(24) as usize;
        file.read_exact(&mut chunk[..there]).map_err(broken)?;
        let length = u64::from(u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]));
        if at + 8 + length > end {
            return Err(MediaError::corrupt("a chunk of the WebP ends before it should"));
        }
        let body = &chunk[8..];
        match &chunk[..4] {
            b"VP8X" => (webp.width, webp.height) = (1 + u24(&body[4..]), 1 + u24(&body[7..])),
            b"ANMF" => {
                webp.frames += 1;
                webp.milliseconds = webp.milliseconds.saturating_add(u24(&body[12..]));
            }
            b"VP8 " if webp.width == 0 => {
                webp.width = u32::from(u16::from_le_bytes([body[6], body[7]]) & 0x3fff);
                webp.height = u32::from(u16::from_le_bytes([body[8], body[9]]) & 0x3fff);
            }
            b"VP8L" if webp.width == 0 => {
                let bits = u32::from_le_bytes([body[1], body[2], body[3], body[4]]);
                (webp.width, webp.height) = (1 + (bits & 0x3fff), 1 + (bits >> 14 & 0x3fff));
            }
            _ => {}
        }
        // Chunks begin at even places.
        at += 8 + length + length % 2;
    }
    webp.frames = webp.frames.max(1);
    if webp.width == 0 || webp.height == 0 {
        return Err(MediaError::corrupt("the WebP says no size"));
    }
    Ok(webp)
}

fn u24(bytes: &[u8]) -> u32 {
    u32::from(bytes[0]) | u32::from(bytes[1]) << 8 | u32::from(bytes[2]) << 16
}

fn put_chunk(into: &mut Vec<u8>, name: &[u8; 4], body: &[u8]) {
    into.extend_from_slice(name);
    into.extend_from_slice(&(body.len() as u32).to_le_bytes());
    into.extend_from_slice(body);
    if body.len() % 2 == 1 {
        into.push(0);
    }
}

/// The chunks of a WebP file in memory, without those broken off.
fn chunks(webp: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = webp.get(12..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = u32::from_le_bytes(rest.get(4..8)?.try_into().ok()?) as usize;
        let (name, body) = (&rest[..4], rest.get(8..8 + length)?);
        rest = rest.get(8 + length + length % 2..).unwrap_or_default();
        Some((name, body))
    })
}

fn extended(flags: u8, width: u32, height: u32) -> [u8; 10] {
    let [w0, w1, w2, _] = (width - 1).to_le_bytes();
    let [h0, h1, h2, _] = (height - 1).to_le_bytes();
    [flags, 0, 0, 0, w0, w1, w2, h0, h1, h2]
}

fn file_of(body: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(body.len() + 12);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(body.len() as u32 + 4).to_le_bytes());
    file.extend_from_slice(b"WEBP");
    file.extend_from_slice(body);
    file
}

/// An animation that repeats for ever, put together a frame at a time.
pub(crate) struct Animation {
    width: u32,
    height: u32,
    frames: Vec<u8>,
}

impl Animation {
    /// An animation with nothing in it.
    pub(crate) fn new(width: u32, height: u32) -> Self {
        Self { width, height, frames: Vec::new() }
    }

    /// Adds a frame: `still` is a WebP file that is put over what was there at
    /// (`x`, `y`), which are even, and is shown for `ms`.
    pub(crate) fn push(&mut self, still: &[u8], (x, y): (u32, u32), (width, height): (u32, u32), ms: u32) {
        let mut body = Vec::with_capacity(still.len() + 16);
        for number in [x / 2, y / 2, width - 1, height - 1, ms.min(0xff_ffff)] {
            body.extend_from_slice(&number.to_le_bytes()[..3]);
        }
        // Bit 1: the frame replaces what it covers; bit 0 is clear: it stays.
        body.push(0b10);
        for (name, content) in chunks(still) {
            match name {
                b"ALPH" => put_chunk(&mut body, b"ALPH", content),
                b"VP8 " => put_chunk(&mut body, b"VP8 ", content),
                b"VP8L" => put_chunk(&mut body, b"VP8L", content),
                _ => {}
            }
        }
        put_chunk(&mut self.frames, b"ANMF", &body);
    }

    /// Bytes that the file would have.
    pub(crate) fn len(&self) -> usize {
        self.frames.len() + 12 + 18 + 14
    }

    /// The file.
    pub(crate) fn finish(self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.len());
        put_chunk(&mut body, b"VP8X", &extended(ANIMATED | ALPHA, self.width, self.height));
        // Transparent background, without end.
        put_chunk(&mut body, b"ANIM", &[0; 6]);
        body.extend_from_slice(&self.frames);
        file_of(&body)
    }
}

/// `webp` with this EXIF in place of any other metadata.
pub(crate) fn with_exif(webp: &[u8], size: (u32, u32), exif: &[u8]) -> Vec<u8> {
    let mut flags = EXIF;
    let mut pictures = Vec::with_capacity(webp.len());
    for (name, content) in chunks(webp) {
        match name {
            b"VP8X" => flags |= content.first().copied().unwrap_or_default() & (ANIMATED | ALPHA),
            b"VP8L" => {
                flags |= ALPHA;
                put_chunk(&mut pictures, b"VP8L", content);
            }
            b"ALPH" => {
                flags |= ALPHA;
                put_chunk(&mut pictures, b"ALPH", content);
            }
            b"VP8 " => put_chunk(&mut pictures, b"VP8 ", content),
            b"ANIM" => put_chunk(&mut pictures, b"ANIM", content),
            b"ANMF" => put_chunk(&mut pictures, b"ANMF", content),
            _ => {}
        }
    }
    let mut body = Vec::with_capacity(webp.len() + exif.len() + 64);
    put_chunk(&mut body, b"VP8X", &extended(flags, size.0, size.1));
    body.extend_from_slice(&pictures);
    put_chunk(&mut body, b"EXIF", exif);
    file_of(&body)
}
