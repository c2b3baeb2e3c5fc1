//! A moment as clients write it: ISO 8601 with an offset, or epoch milliseconds.

use crate::error::ApiError;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::fmt;
use warest_model::clock::Millis;

/// Farthest moment for which something is kept: a year from now.
const FARTHEST_MS: Millis = 366 * 24 * 3_600 * 1_000;
/// Numbers below this are no milliseconds of our days (1973), but seconds.
const SECONDS_BELOW: i64 = 100_000_000_000;

/// A moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub Millis);

impl Moment {
    /// The moment, if it is not too far ahead. What has passed means now.
    pub fn within_a_year(self, name: &str, now_ms: Millis) -> Result<Millis, ApiError> {
        if self.0 - now_ms > FARTHEST_MS {
            return Err(ApiError::invalid(format!("`{name}` may lie at most a year ahead")));
        }
        Ok(self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Moments;
        impl Visitor<'_> for Moments {
            type Value = Moment;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time such as 2027-01-31T09:00:00+07:00, or epoch milliseconds")
            }

            fn visit_i64<E: Error>(self, ms: i64) -> Result<Moment, E> {
                if ms < SECONDS_BELOW {
                    return Err(E::custom("expected epoch milliseconds; this looks like seconds"));
                }
                Ok(Moment(ms))
            }

            fn visit_u64<E: Error>(self, ms: u64) -> Result<Moment, E> {
                self.visit_i64(i64::try_from(ms).unwrap_or(i64::MAX / 2))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Moment, E> {
                if let Ok(ms) = text.parse::<i64>() {
                    return self.visit_i64(ms);
                }
                let at = chrono::DateTime::parse_from_rfc3339(text.trim())
                    .map_err(|_| E::custom("expected a time with its offset, such as 2027-01-31T09:00:00+07:00"))?;
                Ok(Moment(at.timestamp_millis()))
            }
        }
        reader.deserialize_any(Moments)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::from_str;

    #[test]
    fn moments_are_iso_times_or_milliseconds() {
        let ms = |json: &str| from_str::<Moment>(json).unwrap().0;
        assert_eq!(ms("1700000000123"), 1_700_000_000_123);
        assert_eq!(ms("\"1700000000123\""), 1_700_000_000_123);
        assert_eq!(ms("\"2023-11-14T22:13:20.123Z\""), 1_700_000_000_123);
        assert_eq!(ms("\"2023-11-15T05:13:20+07:00\""), 1_700_000_000_000);
    }

    #[test]
    fn what_could_be_meant_otherwise_is_refused() {
        for bad in ["1700000000", "0", "-5", "\"2023-11-14T22:13:20\"", "\"tomorrow\"", "12.5", "true", "[]", "{}"] {
            assert!(from_str::<Moment>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn moments_too_far_ahead_are_refused() {
        assert!(Moment(1_000 + FARTHEST_MS).within_a_year("at", 1_000).is_ok());
        assert!(Moment(1_001 + FARTHEST_MS).within_a_year("at", 1_000).is_err());
        assert!(from_str::<Moment>("18446744073709551615").unwrap().within_a_year("at", 0).is_err());
    }
}
