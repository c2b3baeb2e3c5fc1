//! Phone numbers: any spelling becomes the digits of E.164, and the numbering
//! plans of the world say whose they are and whether there can be such a number.
//!
//! Total: whatever the text is, it is a number or it is refused. A number that no
//! plan knows is read all the same, since plans change faster than libraries:
//! [`Phone::is_valid`] tells.

use crate::jid::Jid;
use phonenumber::metadata::DATABASE;
use phonenumber::{Mode, PhoneNumber, Type, country};
use serde::{Deserialize, Serialize};

/// Fewest digits of a number that is taken, and most (E.164).
const DIGITS: std::ops::RangeInclusive<usize> = 5..=15;
/// Longest spelling that is looked at, in characters.
const CHARS: usize = 64;

/// A number as somebody may be called by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phone {
    digits: String,
    country: Option<String>,
    valid: bool,
    line: Line,
}

/// What kind of line a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// A mobile phone.
    Mobile,
    /// A fixed line.
    Fixed,
    /// One of these: some plans do not tell them apart.
    FixedOrMobile,
    /// A number of a service, over the internet, or of another kind.
    Other,
    /// No plan knows it.
    Unknown,
}

/// A number that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// It is not written as numbers are, or has too few digits or too many.
    #[error("\"{0}\" is not a phone number: 5 to 15 digits with country code are expected")]
    Number(String),
    /// There is no such country.
    #[error("\"{0}\" is not a country; give its calling code, such as 62, or its letters, such as ID")]
    Country(String),
}

impl Phone {
    /// Reads a number in any spelling. One that begins with `0` is a number of
    /// `country`, which is a calling code (`62`, `+62`) or two letters (`ID`).
    pub fn parse(text: &str, country: &str) -> Result<Self, PhoneError> {
        let code = calling_code(country).ok_or_else(|| PhoneError::Country(clip(country)))?;
        let digits = digits(text, &code).ok_or_else(|| PhoneError::Number(clip(text)))?;
        Ok(Self::of_digits(digits))
    }

    /// Reads a number that is said to be of `country`: as it is dialled there, with or
    /// without a zero in front, if the country's plan has such a number; else, and if it
    /// begins with `+` or `00`, as [`Phone::parse`] does.
    pub fn parse_within(text: &str, country: &str) -> Result<Self, PhoneError> {
        let is_national = |digits: &String| !text.trim().starts_with('+') && !digits.starts_with("00");
        let national = written(text.trim()).filter(is_national);
        let dialled = national.and_then(|digits| of_plan(&digits, region(country)?));
        match dialled {
            Some(digits) => Ok(Self::of_digits(digits)),
            None => Self::parse(text, country),
        }
    }

    /// The number behind an address; `None` if that is not named by a number.
    pub fn of_jid(jid: &Jid) -> Option<Self> {
        (jid.server() == "s.whatsapp.net").then(|| Self::of_digits(jid.user().to_owned()))
    }

    fn of_digits(digits: String) -> Self {
        let number = phonenumber::parse(None, format!("+{digits}")).ok();
        let country = number.as_ref().and_then(|number| number.country().id()).map(|id| id.as_ref().to_owned());
        let line = number.as_ref().map_or(Line::Unknown, line);
        let valid = number.as_ref().is_some_and(phonenumber::is_valid);
        Self { digits, country, valid, line }
    }

    /// As in `+6281234567890`.
    pub fn e164(&self) -> String {
        format!("+{}", self.digits)
    }

    /// Its address on WhatsApp.
    pub fn jid(&self) -> Option<Jid> {
        Jid::from_parts(&self.digits, "s.whatsapp.net").ok()
    }

    /// The letters of its country, as in `ID`.
    pub fn country(&self) -> Option<&str> {
        self.country.as_deref()
    }

    /// Whether its country's plan has such numbers.
    pub fn is_valid(&self) -> bool {
        self.valid
    }

    /// What kind of line it is.
    pub fn line(&self) -> Line {
        self.line
    }
}

/// The digits of a number in international form, or `None` if it is no number.
/// `code` (digits) is the country of one that begins with `0`.
pub(crate) fn digits(text: &str, code: &str) -> Option<String> {
    let text = text.trim();
    let digits = written(text)?;
    let digits = if text.starts_with('+') {
        digits
    } else if let Some(rest) = digits.strip_prefix("00") {
        rest.to_owned()
    } else if let Some(rest) = digits.strip_prefix('0') {
        // Some plans keep the zero, or dial another digit behind it.
        main_region(code).and_then(|region| of_plan(&digits, region)).unwrap_or_else(|| format!("{code}{rest}"))
    } else {
        digits
    };
    DIGITS.contains(&digits.len()).then_some(digits)
}

/// The digits in a text that is written as numbers are.
fn written(text: &str) -> Option<String> {
    let is_written = |c: char| c.is_ascii_digit() || "+-(). /".contains(c);
    if text.chars().nth(CHARS).is_some() || !text.chars().all(is_written) {
        return None;
    }
    Some(text.chars().filter(char::is_ascii_digit).collect())
}

/// The international digits of a number as it is dialled within a country, if the
/// country's plan has it.
fn of_plan(national: &str, country: country::Id) -> Option<String> {
    let number = phonenumber::parse(Some(country), national).ok().filter(phonenumber::is_valid)?;
    let e164 = number.format().mode(Mode::E164).to_string();
    e164.strip_prefix('+').map(str::to_owned)
}

/// The country with these letters, or the main one of a calling code.
fn region(country: &str) -> Option<country::Id> {
    let country = country.trim();
    let code = country.strip_prefix('+').unwrap_or(country);
    match DATABASE.by_id(country.to_ascii_uppercase().as_str()) {
        Some(plan) => plan.id().parse().ok(),
        None => main_region(code),
    }
}

/// The main country of a calling code (digits).
fn main_region(code: &str) -> Option<country::Id> {
    DATABASE.by_code(&code.parse::<u16>().ok()?)?.first()?.id().parse().ok()
}

/// The digits of a country's calling code.
fn calling_code(country: &str) -> Option<String> {
    let country = country.trim();
    let code = country.strip_prefix('+').unwrap_or(country);
    if !code.is_empty() && code.len() <= 3 && code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(code.to_owned());
    }
    let plan = DATABASE.by_id(country.to_ascii_uppercase().as_str())?;
    Some(plan.country_code().to_string())
}

fn line(number: &PhoneNumber) -> Line {
    match number.number_type(&DATABASE) {
        Type::Mobile => Line::Mobile,
        Type::FixedLine => Line::Fixed,
        Type::FixedLineOrMobile => Line::FixedOrMobile,
        Type::Unknown => Line::Unknown,
        _ => Line::Other,
    }
}

fn clip(text: &str) -> String {
    text.chars().take(CHARS).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn national_numbers_are_read_by_their_plan() {
        for (text, country, e164, letters) in [
            ("0812-3456-7890", "62", "+6281234567890", "ID"),
            ("0812-3456-7890", "id", "+6281234567890", "ID"),
            ("+62 812 3456 7890", "1", "+6281234567890", "ID"),
            ("0049 1512 3456789", "62", "+4915123456789", "DE"),
            // Hungary dials a digit behind the zero.
            ("0151 23456789", "+49", "+4915123456789", "DE"),
            ("06 20 123 4567", "36", "+36201234567", "HU"),
        ] {
            let phone = Phone::parse(text, country).unwrap();
            assert_eq!((phone.e164().as_str(), phone.country()), (e164, Some(letters)), "{text}");
            assert!(phone.is_valid(), "{text}");
        }
        assert_eq!(Phone::parse("081234567890", "62").unwrap().line(), Line::Mobile);
    }

    #[test]
    fn a_number_of_a_named_country_needs_no_zero() {
        for (text, country, e164, letters) in [
            ("2025550100", "US", "+12025550100", "US"),
            ("(202) 555-0100", "us", "+12025550100", "US"),
            ("2025550100", "+1", "+12025550100", "US"),
            ("12025550100", "1", "+12025550100", "US"),
            ("81234567890", "ID", "+6281234567890", "ID"),
            ("0812-3456-7890", "ID", "+6281234567890", "ID"),
            ("6281234567890", "ID", "+6281234567890", "ID"),
            ("6281234567890", "62", "+6281234567890", "ID"),
            // The plan has no such number, or it says itself whose it is.
            ("4915123456789", "US", "+4915123456789", "DE"),
            ("+12025550100", "ID", "+12025550100", "US"),
            ("0012025550100", "ID", "+12025550100", "US"),
        ] {
            let phone = Phone::parse_within(text, country).unwrap();
            assert_eq!((phone.e164().as_str(), phone.country()), (e164, Some(letters)), "{text} {country}");
            assert!(phone.is_valid(), "{text} {country}");
        }
        let short = Phone::parse_within("62812", "ID").unwrap();
        assert_eq!((short.e164().as_str(), short.is_valid()), ("+62812", false));
        assert!(matches!(Phone::parse_within("2025550100", "XX"), Err(PhoneError::Country(_))));
        assert!(matches!(Phone::parse_within("abc", "US"), Err(PhoneError::Number(_))));
    }

    #[test]
    fn a_number_that_no_plan_knows_is_read_and_told_apart() {
        let phone = Phone::parse("62812", "62").unwrap();
        assert_eq!((phone.e164().as_str(), phone.country(), phone.is_valid()), ("+62812", Some("ID"), false));
        let nowhere = Phone::parse("+999123456", "62").unwrap();
        assert_eq!((nowhere.country(), nowhere.line()), (None, Line::Unknown));
        // The zero goes, whatever follows it.
        assert_eq!(Phone::parse("0811111", "62").unwrap().e164(), "+62811111");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "abc", "123", "1234567890123456", "62812'; --", "+", "((((((", &"0".repeat(100)] {
            assert!(matches!(Phone::parse(text, "62"), Err(PhoneError::Number(_))), "{text:?}");
        }
        for country in ["", "XX", "6212", "Indonesia", "+", "６２"] {
            assert!(matches!(Phone::parse("0812345678", country), Err(PhoneError::Country(_))), "{country:?}");
        }
    }
}
