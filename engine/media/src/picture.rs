//! Pictures in memory: decoding within limits, scaling, turning upright.

use crate::config::MediaConfig;
use crate::error::MediaError;
use crate::shape::Plan;
use fast_image_resize::{MulDiv, ResizeOptions, Resizer};
use image::metadata::Orientation;
use image::{DynamicImage, GenericImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

/// A decoded picture.
pub(crate) struct Picture {
    /// Its pixels as stored.
    pub image: DynamicImage,
    /// How it is turned to be shown.
    pub orientation: Orientation,
    /// The meaning of its colours, if the file tells one for such pixels.
    pub icc: Option<Vec<u8>>,
}

/// Most pixels that scaling makes on its way.
const MAX_BETWEEN: f64 = 64e6;

/// Largest text or colour profile that is read in a PNG, unpacked.
const PNG_BESIDE: u64 = 8 << 20;

/// Largest colour profile that is carried on.
const MAX_ICC: usize = 64 << 10;

pub(crate) fn format(mime: &str) -> Option<ImageFormat> {
    Some(match mime {
        "image/jpeg" => ImageFormat::Jpeg,
        "image/png" => ImageFormat::Png,
        "image/webp" => ImageFormat::WebP,
        "image/gif" => ImageFormat::Gif,
        "image/bmp" => ImageFormat::Bmp,
        _ => return None,
    })
}

fn unsupported(mime: &str) -> MediaError {
    MediaError::Unsupported { mime: mime.to_owned(), wanted: "a JPEG, PNG, WebP, GIF or BMP picture" }
}

fn decoder<R: BufRead + Seek + 'static>(
    file: R,
    mime: &str,
    memory: u64,
) -> Result<impl ImageDecoder + use<R>, MediaError> {
    let format = format(mime).ok_or_else(|| unsupported(mime))?;
    let mut reader = ImageReader::with_format(file, format);
    let mut limits = Limits::no_limits();
    // Of a PNG, it bounds what is packed beside the pixels, and would be unpacked.
    let most = if format == ImageFormat::Png { memory.min(PNG_BESIDE) } else { memory };
    limits.max_alloc = Some(most);
    reader.limits(limits);
    Ok(reader.into_decoder()?)
}

/// Pixels across and down as shown, from the header: the beginning of the file,
/// since JPEG's reader takes in all that it is given.
pub(crate) fn shown_size(file: impl Read, mime: &str) -> Result<(u32, u32), MediaError> {
    const HEADER: u64 = 4 << 20;
    let mut header = Vec::new();
    file.take(HEADER).read_to_end(&mut header)?;
    let mut decoder = decoder(Cursor::new(header), mime, 64 << 20)?;
    let (width, height) = decoder.dimensions();
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok(if is_sideways(orientation) { (height, width) } else { (width, height) })
}

fn is_sideways(orientation: Orientation) -> bool {
    use Orientation::*;
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

/// Decodes a picture (of an animation, its first) within the limits.
pub(crate) fn decode(path: &Path, mime: &str, config: &MediaConfig) -> Result<Picture, MediaError> {
    let bytes = std::fs::metadata(path)?.len();
    if bytes > config.max_image_bytes {
        return Err(MediaError::TooHeavy { what: "the picture", bytes, limit: config.max_image_bytes });
    }
    let mut decoder = decoder(BufReader::new(File::open(path)?), mime, config.decode_memory)?;
    let (width, height) = decoder.dimensions();
    check_pixels(u64::from(width) * u64::from(height), config.max_pixels)?;
    let bytes = decoder.total_bytes();
    if bytes > config.decode_memory {
        return Err(MediaError::TooHeavy { what: "the decoded picture", bytes, limit: config.decode_memory });
    }
    if mime == "image/jpeg" && !jpeg_ends(path)? {
        return Err(MediaError::corrupt("the JPEG ends before it should"));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let icc = decoder.icc_profile().ok().flatten();
    let image = DynamicImage::from_decoder(decoder)?;
    let space: &[u8] = if image.color().has_color() { b"RGB " } else { b"GRAY" };
    let icc = icc.filter(|icc| icc.len() <= MAX_ICC && icc.get(16..20) == Some(space));
    Ok(Picture { image, orientation, icc })
}

/// Refuses more pixels than are accepted.
pub(crate) fn check_pixels(pixels: u64, limit: u64) -> Result<(), MediaError> {
    if pixels > limit { Err(MediaError::TooLarge { pixels, limit }) } else { Ok(()) }
}

/// Whether a JPEG has its end marker: the decoder fills what is missing with
/// grey and says nothing. Looks for the last one, which cannot occur within the
/// data of a scan; a preview in the header comes before the first scan.
fn jpeg_ends(path: &Path) -> Result<bool, MediaError> {
    let mut file = BufReader::new(File::open(path)?);
    let mut at = 2_u64;
    for _ in 0..1000 {
        file.seek(SeekFrom::Start(at))?;
        let mut marker = [0; 4];
        if file.read_exact(&mut marker).is_err() {
            return Ok(false);
        }
        if marker[0] != 0xff || marker[1] == 0xda {
            break;
        }
        // Markers may be padded with 0xff.
        at += if marker[1] == 0xff { 1 } else { 2 + u64::from(u16::from_be_bytes([marker[2], marker[3]])) };
    }
    let mut before = 0;
    let mut chunk = [0; 16 << 10];
    loop {
        let got = file.read(&mut chunk)?;
        if got == 0 {
            return Ok(false);
        }
        for byte in &chunk[..got] {
            if before == 0xff && *byte == 0xd9 {
                return Ok(true);
            }
            before = *byte;
        }
    }
}

impl Picture {
    /// The size as shown.
    pub(crate) fn size(&self) -> (u32, u32) {
        let (width, height) = (self.image.width(), self.image.height());
        if is_sideways(self.orientation) { (height, width) } else { (width, height) }
    }

    /// The picture upright, of eight bits a channel, at the size that `plan`
    /// (made for [`Self::size`]) says. Scales first: the rest is cheap then.
    pub(crate) fn shown(self, plan: &Plan) -> Result<DynamicImage, MediaError> {
        let sideways = is_sideways(self.orientation);
        let (left, top, width, height) = plan.crop;
        // The shown part is in the middle, so that turning does not move it.
        let crop = if sideways { (top, left, height, width) } else { (left, top, width, height) };
        let to = if sideways { (plan.scaled.1, plan.scaled.0) } else { plan.scaled };
        let mut image = eight_bits(scale(self.image, crop, to)?);
        image.apply_orientation(self.orientation);
        let Some((width, height)) = plan.canvas else { return Ok(image) };
        let mut canvas = DynamicImage::new_rgba8(width, height);
        let (x, y) = ((width - image.width()) / 2, (height - image.height()) / 2);
        canvas.copy_from(&image.into_rgba8(), x, y)?;
        Ok(canvas)
    }
}

/// Part of a picture at another size.
pub(crate) fn scale(
    mut image: DynamicImage,
    (left, top, width, height): (f64, f64, f64, f64),
    to: (u32, u32),
) -> Result<DynamicImage, MediaError> {
    let size = (image.width(), image.height());
    if to == size && (left, top) == (0.0, 0.0) && (width, height) == (f64::from(size.0), f64::from(size.1)) {
        return Ok(image);
    }
    // Scaling goes one direction at a time, with a picture in between.
    let between = (f64::from(to.0) * height).max(width * f64::from(to.1)).max(f64::from(to.0) * f64::from(to.1));
    if between > MAX_BETWEEN {
        let why = "makes too many pixels of a picture of such a shape: ask for a smaller size".to_owned();
        return Err(MediaError::Refused { field: "resize", why });
    }
    let failed = |error: &dyn std::fmt::Display| MediaError::corrupt(format_args!("it cannot be scaled: {error}"));
    let has_alpha = image.color().has_alpha();
    let alpha = MulDiv::new();
    if has_alpha {
        // In place: the resizer would make a copy of the whole picture.
        alpha.multiply_alpha_inplace(&mut image).map_err(|error| failed(&error))?;
    }
    let mut scaled = DynamicImage::new(to.0, to.1, image.color());
    let options = ResizeOptions::new().use_alpha(false).crop(left, top, width, height);
    Resizer::new().resize(&image, &mut scaled, &options).map_err(|error| failed(&error))?;
    drop(image);
    if has_alpha {
        alpha.divide_alpha_inplace(&mut scaled).map_err(|error| failed(&error))?;
    }
    Ok(scaled)
}

fn eight_bits(image: DynamicImage) -> DynamicImage {
    match image {
        DynamicImage::ImageLuma16(_) => image.into_luma8().into(),
        DynamicImage::ImageLumaA16(_) => image.into_luma_alpha8().into(),
        DynamicImage::ImageRgb16(_) => image.into_rgb8().into(),
        DynamicImage::ImageRgba16(_) => image.into_rgba8().into(),
        other => other,
    }
}

/// Whether anything shows through.
pub(crate) fn is_see_through(image: &DynamicImage) -> bool {
    match image {
        DynamicImage::ImageLumaA8(image) => image.pixels().any(|pixel| pixel[1] != 255),
        DynamicImage::ImageRgba8(image) => image.pixels().any(|pixel| pixel[3] != 255),
        _ => false,
    }
}

/// The picture on white.
pub(crate) fn on_white(image: DynamicImage) -> DynamicImage {
    if !image.color().has_alpha() {
        return image;
    }
    let image = image.into_rgba8();
    let over = |channel: u8, alpha: u8| {
        let alpha = u32::from(alpha);
        ((u32::from(channel) * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    let mut flat = RgbImage::new(image.width(), image.height());
    for (to, from) in flat.pixels_mut().zip(image.pixels()) {
        let [red, green, blue, alpha] = from.0;
        to.0 = [over(red, alpha), over(green, alpha), over(blue, alpha)];
    }
    flat.into()
}
