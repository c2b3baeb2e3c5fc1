//! Files: films of any size, and what is no file at all.

use sha2::{Digest as _, Sha256};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use warest_tests::ffmpeg;

/// A film of exactly `bytes` bytes, and its hash. What it has too few of is in a box
/// that players skip.
pub fn film(folder: &Path, name: &str, bytes: u64) -> (PathBuf, String) {
    let path = folder.join(name);
    let input = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=5:duration=2"];
    let film = ffmpeg(folder, "film.mp4", &input, &["-pix_fmt", "yuv420p", "-c:v", "libx264"]).unwrap();
    let mut file = BufWriter::new(std::fs::File::create(&path).unwrap());
    let mut hash = Sha256::new();
    let mut write = |part: &[u8]| {
        hash.update(part);
        file.write_all(part).unwrap();
    };
    let free = bytes - film.len() as u64;
    write(&film);
    write(&u32::try_from(free).unwrap().to_be_bytes());
    write(b"free");
    let (mut left, mut state) = (free - 8, 0x2545_f491_4f6c_dd1d_u64);
    while left > 0 {
        // Of noise, no two pieces are alike, so that none can take another's place.
        let piece: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        })
        .take(8 << 10)
        .flatten()
        .take(usize::try_from(left).unwrap_or(usize::MAX))
        .collect();
        write(&piece);
        left -= piece.len() as u64;
    }
    file.flush().unwrap();
    (path, hex::encode(hash.finalize()))
}

/// A JPEG of one colour.
pub fn jpeg(folder: &Path, width: u32, height: u32) -> Vec<u8> {
    let input = format!("color=red:size={width}x{height}");
    ffmpeg(folder, "big.jpg", &["-f", "lavfi", "-i", &input], &["-frames:v", "1"]).unwrap()
}

/// A small PNG that says it has this many pixels, and has them.
pub fn png_bomb(width: u32, height: u32) -> Vec<u8> {
    png(width, height, None, u64::from(width) * u64::from(height) * 4)
}

/// A small PNG of few pixels, with more behind them than would fit into memory.
pub fn overfull_png() -> Vec<u8> {
    png(64, 48, None, MOST_ZEROS)
}

/// A small PNG whose colour profile would not fit into memory.
pub fn profile_bomb() -> Vec<u8> {
    png(64, 48, Some(MOST_ZEROS / 2), 64 * 48 * 4 + 48)
}

fn png(width: u32, height: u32, profile: Option<u64>, pixels: u64) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8], data: &[u8]| {
        let body = [kind, data].concat();
        png.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        png.extend(&body);
        png.extend(crc(&body).to_be_bytes());
    };
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 6, 0, 0, 0]].concat();
    chunk(b"IHDR", &header);
    if let Some(bytes) = profile {
        chunk(b"iCCP", &[b"profile\0\0".to_vec(), zeros(bytes)].concat());
    }
    chunk(b"IDAT", &zeros(pixels));
    chunk(b"IEND", b"");
    png
}

/// As many zeros as a few MB hold.
const MOST_ZEROS: u64 = 1 << 30;

/// Zeros as zlib packs them.
fn zeros(bytes: u64) -> Vec<u8> {
    // One block of fixed codes: a zero, and "258 more of the last" again and again.
    let (mut packed, mut bits, mut count) = (vec![0x78, 0x01], 0b011_u32, 3);
    let mut put = |code: u32, length: u32| {
        for bit in (0..length).rev() {
            bits |= (code >> bit & 1) << count;
            count += 1;
            if count == 8 {
                packed.push(bits as u8);
                (bits, count) = (0, 0);
            }
        }
    };
    put(0b0011_0000, 8);
    for _ in 0..bytes.min(MOST_ZEROS) / 258 + 1 {
        put(0b1100_0101, 8);
        put(0, 5);
    }
    put(0, 7);
    put(0, 7);
    packed
}

fn crc(bytes: &[u8]) -> u32 {
    let of_byte = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    };
    !bytes.iter().fold(u32::MAX, of_byte)
}
