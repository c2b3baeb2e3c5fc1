//! Headers of containers: how long and how large, without decoding anything.
//! Reads a bounded part of a file, and passes over the rest.

use crate::error::MediaError;
use mp4parse::TrackType;
use std::io::{Cursor, Read, Seek, SeekFrom};

/// What a container says of its content.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Shape {
    pub width: Option<u32>,
    pub height: Option<u32>,
    pub seconds: Option<f64>,
    pub has_audio: Option<bool>,
}

/// Most bytes of an MP4's table of contents, and most boxes at its top.
const MOOV: u64 = 32 << 20;
const BOXES: usize = 10_000;

/// An MP4's shape, and whether it has a picture at all. A table of contents that
/// says nothing we understand gives nothing; one that is missing is an error.
pub(crate) fn mp4(file: &mut (impl Read + Seek), size: u64) -> Result<(Shape, Option<bool>), MediaError> {
    let moov = moov(file, size)?;
    let Ok(context) = mp4parse::read_mp4(&mut Cursor::new(moov)) else {
        return Ok((Shape::default(), None));
    };
    let mut shape = Shape { has_audio: Some(false), ..Shape::default() };
    let mut has_video = false;
    let mut seconds = 0.0_f64;
    for track in &context.tracks {
        if let (Some(duration), Some(scale)) = (track.duration.as_ref(), track.timescale.as_ref())
            && scale.0 > 0
        {
            seconds = seconds.max(duration.0 as f64 / scale.0 as f64);
        }
        match track.track_type {
            TrackType::Audio => shape.has_audio = Some(true),
            TrackType::Video => {
                has_video = true;
                let Some(header) = &track.tkhd else { continue };
                // 16.16 fixed point; a quarter turn has nothing on the diagonal.
                let (across, down) = (header.width >> 16, header.height >> 16);
                let turned = header.matrix.a == 0 && header.matrix.d == 0 && header.matrix.b != 0;
                let (width, height) = if turned { (down, across) } else { (across, down) };
                if width > 0 && height > 0 {
                    shape.width = Some(width);
                    shape.height = Some(height);
                }
            }
            _ => {}
        }
    }
    let fragments = context.mvex.as_ref().and_then(|mvex| mvex.fragment_duration.as_ref());
    if let (Some(fragments), Some(scale)) = (fragments, context.timescale.as_ref())
        && scale.0 > 0
    {
        seconds = seconds.max(fragments.0 as f64 / scale.0 as f64);
    }
    shape.seconds = (seconds > 0.0).then_some(seconds);
    let known = !context.tracks.is_empty();
    Ok((shape, known.then_some(has_video)))
}

/// The box `moov`, header and all.
fn moov(file: &mut (impl Read + Seek), size: u64) -> Result<Vec<u8>, MediaError> {
    let mut at = 0_u64;
    for _ in 0..BOXES {
        if at.saturating_add(8) > size {
            break;
        }
        file.seek(SeekFrom::Start(at))?;
        let mut header = [0; 16];
        file.read_exact(&mut header[..8])?;
        let mut length = u64::from(u32::from_be_bytes([header[0], header[1], header[2], header[3]]));
        if length == 1 {
            file.read_exact(&mut header[8..])?;
            length = header[8..].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        } else if length == 0 {
            length = size - at;
        }
        if length < 8 {
            return Err(MediaError::corrupt("a box of the MP4 has no length"));
        }
        let end = at.saturating_add(length);
        if &header[4..8] == b"moov" {
            if end > size {
                return Err(MediaError::corrupt("the MP4 ends within its table of contents"));
            }
            if length > MOOV {
                return Err(MediaError::TooHeavy { what: "the table of contents", bytes: length, limit: MOOV });
            }
            file.seek(SeekFrom::Start(at))?;
            let mut moov = Vec::new();
            file.take(length).read_to_end(&mut moov)?;
            return Ok(moov);
        }
        if end > size {
            return Err(MediaError::corrupt("the MP4 ends before it should"));
        }
        at = end;
    }
    Err(MediaError::corrupt("the MP4 has no table of contents (moov)"))
}

/// Playing time of OGG Opus: the last page counts the samples, at 48 kHz always.
pub(crate) fn opus_seconds(file: &mut (impl Read + Seek), head: &[u8]) -> Result<Option<f64>, MediaError> {
    // A page is at most 65307 bytes, so the last one begins in here.
    const TAIL: u64 = 2 * 65_307;
    let (Some(serial), Some(skip)) = (head.get(14..18), head.get(38..40)) else { return Ok(None) };
    let skip = u64::from(u16::from_le_bytes([skip[0], skip[1]]));
    let size = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(size.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail)?;
    let last = tail.windows(18).rev().find(|page| page.starts_with(b"OggS") && page[14..18] == *serial);
    Ok(last.and_then(|page| {
        let samples = page[6..14].iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        // All ones: no packet ends on that page.
        (samples != u64::MAX).then(|| samples.saturating_sub(skip) as f64 / 48_000.0)
    }))
}

/// A GIF's shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Gif {
    pub width: u32,
    pub height: u32,
    pub frames: u32,
    pub seconds: f64,
}

/// Walks a GIF's blocks without decoding its pictures. A GIF that breaks off
/// has the frames that it got to.
pub(crate) fn gif(file: &mut (impl Read + Seek)) -> Result<Gif, MediaError> {
    let mut head = [0; 13];
    file.read_exact(&mut head).map_err(|_| MediaError::corrupt("the GIF ends within its header"))?;
    let mut gif = Gif {
        width: u32::from(u16::from_le_bytes([head[6], head[7]])),
        height: u32::from(u16::from_le_bytes([head[8], head[9]])),
        frames: 0,
        seconds: 0.0,
    };
    // What ends early ends the walk, not the probe: the decoder judges it.
    let _ = gif_blocks(file, head[10], &mut gif);
    Ok(gif)
}

fn gif_blocks(file: &mut (impl Read + Seek), flags: u8, gif: &mut Gif) -> std::io::Result<()> {
    const FRAMES: u32 = 100_000;
    let colours = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 * (2_i64 << (flags & 7)) };
    file.seek_relative(colours(flags))?;
    while gif.frames < FRAMES {
        let mut tag = [0; 1];
        file.read_exact(&mut tag)?;
        match tag[0] {
            0x2c => {
                let mut image = [0; 9];
                file.read_exact(&mut image)?;
                file.seek_relative(colours(image[8]) + 1)?;
                sub_blocks(file, |_| {})?;
                gif.frames += 1;
            }
            0x21 => {
                file.read_exact(&mut tag)?;
                let is_timing = tag[0] == 0xf9;
                sub_blocks(file, |block| {
                    if is_timing && block.len() == 4 {
                        gif.seconds += delay_ms(u32::from(u16::from_le_bytes([block[1], block[2]])) * 10) as f64 / 1e3;
                    }
                })?;
            }
            _ => break,
        }
    }
    Ok(())
}

fn sub_blocks(file: &mut impl Read, mut each: impl FnMut(&[u8])) -> std::io::Result<()> {
    let mut block = [0; 255];
    loop {
        let mut length = [0; 1];
        file.read_exact(&mut length)?;
        if length[0] == 0 {
            return Ok(());
        }
        let block = &mut block[..usize::from(length[0])];
        file.read_exact(block)?;
        each(block);
    }
}

/// How long a frame that asks for `ms` is shown: what is too fast to be meant is
/// shown as browsers do.
pub(crate) fn delay_ms(ms: u32) -> u32 {
    if ms <= 10 { 100 } else { ms }
}
