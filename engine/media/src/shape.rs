//! How large a scaled picture is and which part of the original it shows.

use crate::error::MediaError;

/// Longest side of a result.
pub(crate) const MAX_SIDE: u32 = 8192;

/// What happens where the wanted shape is not the picture's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fit {
    /// Fills the shape; what does not fit is cut off at both sides.
    #[default]
    Cover,
    /// All of it within the shape, with a border: transparent, or white in JPEG.
    Contain,
    /// Exactly the shape, distorted.
    Fill,
    /// All of it, as large as fits into the shape; no border.
    Inside,
    /// As small as covers the shape; nothing is cut off.
    Outside,
}

impl Fit {
    /// The fit of this name.
    pub fn parse(name: &str) -> Result<Self, MediaError> {
        Ok(match name {
            "cover" => Self::Cover,
            "contain" => Self::Contain,
            "fill" => Self::Fill,
            "inside" => Self::Inside,
            "outside" => Self::Outside,
            _ => {
                let why = "must be cover, contain, fill, inside or outside".to_owned();
                return Err(MediaError::Refused { field: "fit", why });
            }
        })
    }
}

/// A wanted size. A side that is not given follows from the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resize {
    /// Pixels across, 1 to 8192.
    pub width: Option<u32>,
    /// Pixels down, 1 to 8192.
    pub height: Option<u32>,
    /// What happens where the shapes differ.
    pub fit: Fit,
    /// A smaller picture stays as small as it is.
    pub without_enlargement: bool,
}

impl Resize {
    /// As large as fits into a square, never enlarged.
    pub(crate) fn within(side: u32) -> Self {
        Self { width: Some(side), height: Some(side), fit: Fit::Inside, without_enlargement: true }
    }
}

/// What a resize comes to for one picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Plan {
    /// The part that is shown: left, top, width, height.
    pub crop: (f64, f64, f64, f64),
    /// Its size in the result.
    pub scaled: (u32, u32),
    /// The result's size, if there is a border.
    pub canvas: Option<(u32, u32)>,
}

/// Plans a resize of a picture of `from` pixels.
pub(crate) fn plan(resize: &Resize, from: (u32, u32)) -> Result<Plan, MediaError> {
    for (field, side) in [("width", resize.width), ("height", resize.height)] {
        if side.is_some_and(|side| side == 0 || side > MAX_SIDE) {
            return Err(MediaError::Refused { field, why: format!("must be 1 to {MAX_SIDE} pixels") });
        }
    }
    let (across, down) = (f64::from(from.0), f64::from(from.1));
    let most = if resize.without_enlargement { 1.0 } else { f64::INFINITY };
    let scaled_by = |factor: f64| {
        let side = |length: f64| (length * factor.min(most)).round().max(1.0);
        (side(across), side(down))
    };
    let whole = (0.0, 0.0, across, down);
    let by_one = |scaled| Plan { crop: whole, scaled, canvas: None };
    let (width, height) = match (resize.width, resize.height) {
        (None, None) => return Ok(by_one(from)),
        (Some(width), None) => return one_side(scaled_by(f64::from(width) / across)).map(by_one),
        (None, Some(height)) => return one_side(scaled_by(f64::from(height) / down)).map(by_one),
        (Some(width), Some(height)) => (width, height),
    };
    let (x, y) = (f64::from(width) / across, f64::from(height) / down);
    match resize.fit {
        Fit::Inside => one_side(scaled_by(x.min(y))).map(by_one),
        Fit::Outside => one_side(scaled_by(x.max(y))).map(by_one),
        Fit::Fill if resize.without_enlargement => Ok(by_one((width.min(from.0), height.min(from.1)))),
        Fit::Fill => Ok(by_one((width, height))),
        Fit::Contain => {
            let scaled = one_side(scaled_by(x.min(y)))?;
            Ok(Plan { crop: whole, scaled, canvas: Some((width, height)) })
        }
        Fit::Cover => {
            let factor = x.max(y).min(most);
            let (shown_across, shown_down) =
                ((f64::from(width) / factor).min(across), (f64::from(height) / factor).min(down));
            let crop = ((across - shown_across) / 2.0, (down - shown_down) / 2.0, shown_across, shown_down);
            let side = |length: f64| (length * factor).round().max(1.0);
            Ok(Plan { crop, scaled: one_side((side(shown_across), side(shown_down)))?, canvas: None })
        }
    }
}

fn one_side((width, height): (f64, f64)) -> Result<(u32, u32), MediaError> {
    if width > f64::from(u16::MAX) || height > f64::from(u16::MAX) {
        return Err(MediaError::Refused { field: "resize", why: "makes the picture too long".to_owned() });
    }
    Ok((width as u32, height as u32))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sized(fit: Fit, without_enlargement: bool, from: (u32, u32)) -> Plan {
        plan(&Resize { width: Some(100), height: Some(100), fit, without_enlargement }, from).unwrap()
    }

    #[test]
    fn each_fit_gives_the_size_it_promises() {
        assert_eq!(sized(Fit::Inside, false, (400, 200)).scaled, (100, 50));
        assert_eq!(sized(Fit::Outside, false, (400, 200)).scaled, (200, 100));
        assert_eq!(sized(Fit::Fill, false, (400, 200)).scaled, (100, 100));
        let contained = sized(Fit::Contain, false, (400, 200));
        assert_eq!((contained.scaled, contained.canvas), ((100, 50), Some((100, 100))));
        let covering = sized(Fit::Cover, false, (400, 200));
        assert_eq!((covering.scaled, covering.crop), ((100, 100), (100.0, 0.0, 200.0, 200.0)));
    }

    #[test]
    fn a_small_picture_stays_small_where_that_is_asked() {
        assert_eq!(sized(Fit::Inside, true, (40, 20)).scaled, (40, 20));
        assert_eq!(sized(Fit::Cover, true, (400, 20)).scaled, (100, 20));
        assert_eq!(sized(Fit::Inside, false, (40, 20)).scaled, (100, 50));
    }

    #[test]
    fn one_side_gives_the_other_and_sizes_are_bounded() {
        let wide = Resize { width: Some(10), ..Resize::default() };
        assert_eq!(plan(&wide, (100, 50)).unwrap().scaled, (10, 5));
        assert_eq!(plan(&wide, (10_000, 1)).unwrap().scaled, (10, 1));
        let huge = Resize { width: Some(8192), ..Resize::default() };
        assert!(matches!(plan(&huge, (1, 10_000)), Err(MediaError::Refused { .. })));
        let zero = Resize { width: Some(0), ..Resize::default() };
        assert!(matches!(plan(&zero, (1, 1)), Err(MediaError::Refused { field: "width", .. })));
    }
}
