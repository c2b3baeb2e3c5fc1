//! Quiet hours: by the clock of a time zone, with what law does to clocks.

use super::policy::QuietHours;
use chrono::{DateTime, NaiveTime, Offset, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use std::fmt;
use warest_model::clock::Millis;

const MINUTE_MS: Millis = 60_000;
const DAY_MS: Millis = 24 * 60 * MINUTE_MS;
/// Most stretches of constant offset that are walked through. Zones change
/// theirs a few times a year.
const STRETCHES: usize = 16;

/// A time of day, to the minute: `21:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// A full hour, 0 to 23.
    pub const fn from_hour(hour: u16) -> Self {
        Self(hour * 60)
    }

    fn ms(self) -> Millis {
        Millis::from(self.0) * MINUTE_MS
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let short: String = text.chars().take(16).collect();
        let time = NaiveTime::parse_from_str(&short, "%H:%M").ok().filter(|_| text.len() == 5);
        let time = time.ok_or_else(|| format!("\"{short}\" is no time of day; write it as HH:MM, 00:00 to 23:59"))?;
        // Below 1,440.
        Ok(Self((time.hour() * 60 + time.minute()) as u16))
    }
}

impl From<TimeOfDay> for String {
    fn from(TimeOfDay(minutes): TimeOfDay) -> Self {
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// A time zone by its IANA name: `Asia/Jakarta`.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(Tz);

impl Default for Zone {
    fn default() -> Self {
        Self(Tz::UTC)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl TryFrom<String> for Zone {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || {
            let short: String = text.chars().take(64).collect();
            format!("\"{short}\" is no time zone; use an IANA name, such as Asia/Jakarta or UTC")
        };
        text.parse().map(Self).map_err(|_| wrong())
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.0.name().to_owned()
    }
}

impl Zone {
    /// How far its clock is ahead of UTC at a moment.
    fn offset_ms(self, at_ms: Millis) -> Millis {
        let at = DateTime::<Utc>::from_timestamp_millis(at_ms).unwrap_or_default();
        Millis::from(self.0.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()) * 1_000
    }
}

impl QuietHours {
    /// When the quiet hours that `now_ms` lies in end; `None` if it lies in none.
    /// That moment is outside of them by the clock of the zone, also where the
    /// clock is set in between: a night that law makes longer is kept to its
    /// end, and one that it cuts short ends when the clock jumps.
    pub fn until(&self, now_ms: Millis) -> Option<Millis> {
        let mut at = now_ms;
        for _ in 0..STRETCHES {
            let offset = self.time_zone.offset_ms(at);
            let Some(rest) = self.rest_ms(at, offset) else { return (at > now_ms).then_some(at) };
            // Within a stretch of one offset, the quiet lasts until `to`.
            at = first_change(self.time_zone, at, at + rest).unwrap_or(at + rest);
        }
        // No zone gets here; a day later is late, but never lost.
        Some(now_ms + DAY_MS)
    }

    /// How much of the quiet hours is left by a clock with this offset; `None`
    /// if it shows a time outside of them.
    fn rest_ms(&self, at_ms: Millis, offset_ms: Millis) -> Option<Millis> {
        let clock = (at_ms + offset_ms).rem_euclid(DAY_MS);
        let (from, to) = (self.from.ms(), self.to.ms());
        let quiet = if from < to { (from..to).contains(&clock) } else { clock >= from || clock < to };
        quiet.then(|| (to - clock).rem_euclid(DAY_MS))
    }
}

/// The first moment after `from_ms`, up to `to_ms`, at which the clock has
/// another offset than at `from_ms`.
fn first_change(zone: Zone, from_ms: Millis, to_ms: Millis) -> Option<Millis> {
    let offset = zone.offset_ms(from_ms);
    // Two changes within a few hours that cancel each other do not happen, so
    // looking every quarter of an hour would find the same as looking at the end.
    if zone.offset_ms(to_ms) == offset {
        return None;
    }
    let (mut same, mut other) = (from_ms, to_ms);
    while other - same > 1 {
        let middle = same + (other - same) / 2;
        match zone.offset_ms(middle) == offset {
            true => same = middle,
            false => other = middle,
        }
    }
    Some(other)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::policy::{Mode, Policy, Scope};
    use super::*;

    fn quiet(from: &str, to: &str, zone: Tz) -> QuietHours {
        let time = |text: &str| TimeOfDay::try_from(text.to_owned()).unwrap();
        QuietHours {
            enabled: true,
            from: time(from),
            to: time(to),
            time_zone: Zone(zone),
            scope: Scope::Direct,
            mode: Mode::Delay,
        }
    }

    fn ms(text: &str) -> Millis {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
    }

    /// What the clock on the wall shows, asked another way than the guard does.
    fn is_quiet(hours: &QuietHours, at_ms: Millis) -> bool {
        let wall = hours.time_zone.0.timestamp_millis_opt(at_ms).unwrap();
        let minute = (wall.hour() * 60 + wall.minute()) as u16;
        let (from, to) = (hours.from.0, hours.to.0);
        if from < to { from <= minute && minute < to } else { from <= minute || minute < to }
    }

    #[test]
    fn nights_and_middays_end_when_the_clock_says() {
        let night = quiet("21:00", "07:00", Tz::Asia__Jakarta);
        assert_eq!(night.until(ms("2026-03-01T20:59:59+07:00")), None);
        for within in ["2026-03-01T21:00:00+07:00", "2026-03-02T00:00:00+07:00", "2026-03-02T06:59:59.999+07:00"] {
            assert_eq!(night.until(ms(within)), Some(ms("2026-03-02T07:00:00+07:00")), "{within}");
        }
        assert_eq!(night.until(ms("2026-03-02T07:00:00+07:00")), None);
        let midday = quiet("12:00", "14:30", Tz::UTC);
        assert_eq!(midday.until(ms("2026-03-01T12:00:00Z")), Some(ms("2026-03-01T14:30:00Z")));
        assert_eq!(midday.until(ms("2026-03-01T11:59:59Z")), None);
    }

    #[test]
    fn clocks_that_are_set_end_the_quiet_where_they_really_leave_it() {
        // Berlin, 2026-03-29: 02:00 becomes 03:00. The end at 02:30 does not exist.
        let spring = quiet("22:00", "02:30", Tz::Europe__Berlin);
        assert_eq!(spring.until(ms("2026-03-28T23:00:00+01:00")), Some(ms("2026-03-29T03:00:00+02:00")));
        // 2026-10-25: 03:00 becomes 02:00 again. The night is an hour longer.
        let autumn = quiet("22:00", "07:00", Tz::Europe__Berlin);
        assert_eq!(autumn.until(ms("2026-10-24T22:00:00+02:00")), Some(ms("2026-10-25T07:00:00+01:00")));
        // The end at 02:30 comes twice: the first is an end, and then it is quiet anew.
        assert_eq!(spring.until(ms("2026-10-25T01:00:00+02:00")), Some(ms("2026-10-25T02:30:00+02:00")));
        assert_eq!(spring.until(ms("2026-10-25T02:10:00+01:00")), Some(ms("2026-10-25T02:30:00+01:00")));
        // A beginning that does not exist: 02:15 to 04:00 on the day that jumps over it.
        let jumped = quiet("02:15", "04:00", Tz::Europe__Berlin);
        assert_eq!(jumped.until(ms("2026-03-29T01:59:59+01:00")), None);
        assert_eq!(jumped.until(ms("2026-03-29T03:00:00+02:00")), Some(ms("2026-03-29T04:00:00+02:00")));
        // Samoa had no 2011-12-30 at all.
        let samoa = quiet("21:00", "07:00", Tz::Pacific__Apia);
        assert_eq!(samoa.until(ms("2011-12-29T23:00:00-10:00")), Some(ms("2011-12-31T07:00:00+14:00")));
        // Half an hour of summer time.
        let howe = quiet("01:45", "02:15", Tz::Australia__Lord_Howe);
        assert_eq!(howe.until(ms("2026-10-04T01:50:00+10:30")), Some(ms("2026-10-04T02:30:00+11:00")));
    }

    #[test]
    fn in_every_zone_and_all_year_the_moment_is_the_first_outside() {
        // A small generator: the same cases in every run.
        let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
        let mut random = |below: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed % below
        };
        let year = ms("2026-01-01T00:00:00Z");
        let (mut held, mut set) = (0, 0);
        for zone in chrono_tz::TZ_VARIANTS {
            // Somewhere in the year, and right around each change of the clock.
            let mut moments: Vec<Millis> = (0..40).map(|_| year + random(365 * DAY_MS as u64) as Millis).collect();
            let mut day = year;
            while day < year + 365 * DAY_MS {
                if let Some(change) = first_change(Zone(zone), day, day + DAY_MS) {
                    set += 1;
                    moments.extend((0..60).map(|_| change + random(16 * 3_600_000) as Millis - 12 * 3_600_000));
                }
                day += DAY_MS;
            }
            for at in moments {
                let (from, length) = (random(1_440) as u16, 1 + random(1_439) as u16);
                let base = Policy::default().quiet_hours;
                let hours = QuietHours {
                    from: TimeOfDay(from),
                    to: TimeOfDay((from + length) % 1_440),
                    time_zone: Zone(zone),
                    ..base
                };
                let Some(until) = hours.until(at) else {
                    assert!(!is_quiet(&hours, at), "{hours:?} at {at}");
                    continue;
                };
                held += 1;
                assert!(is_quiet(&hours, at), "{hours:?} at {at}");
                assert!(!is_quiet(&hours, until), "{hours:?} at {at}: {until} is still quiet");
                assert!(is_quiet(&hours, until - 1), "{hours:?} at {at}: {until} is not the first");
                // Every quarter of an hour before it is quiet.
                let mut before = at;
                while before < until {
                    assert!(is_quiet(&hours, before), "{hours:?} at {at}: {before} was outside before {until}");
                    before += 15 * MINUTE_MS;
                }
            }
        }
        assert!(held > 10_000 && set > 300, "{held} held, {set} changes of clocks");
    }
}
