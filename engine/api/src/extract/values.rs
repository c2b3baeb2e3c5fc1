//! Values that clients write in more than one way.

use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, SeqAccess, Visitor};
use std::fmt;

/// One text, a list of up to `MOST` texts, or null for none. Numbers are read as
/// text. `MOST` bounds what is read at all; each field has a bound of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OneOrMany<const MOST: usize = 1_000>(pub Vec<String>);

impl<'de, const MOST: usize> Deserialize<'de> for OneOrMany<MOST> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Texts<const MOST: usize>;
        impl<'de, const MOST: usize> Visitor<'de> for Texts<MOST> {
            type Value = OneOrMany<MOST>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of strings")
            }

            fn visit_unit<E: Error>(self) -> Result<OneOrMany<MOST>, E> {
                Ok(OneOrMany::default())
            }

            fn visit_none<E: Error>(self) -> Result<OneOrMany<MOST>, E> {
                Ok(OneOrMany::default())
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<OneOrMany<MOST>, E> {
                Ok(OneOrMany(vec![number.to_string()]))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<OneOrMany<MOST>, E> {
                Ok(OneOrMany(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<OneOrMany<MOST>, A::Error> {
                let mut texts = Vec::new();
                while let Some(Text(text)) = items.next_element()? {
                    if texts.len() == MOST {
                        return Err(A::Error::custom(format_args!("at most {MOST} values")));
                    }
                    texts.push(text);
                }
                Ok(OneOrMany(texts))
            }
        }
        reader.deserialize_any(Texts::<MOST>)
    }
}

struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct One;
        impl Visitor<'_> for One {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }
        }
        reader.deserialize_any(One)
    }
}

/// A field that may be null and may be absent, and means something else by each:
/// `None` if it is absent.
pub fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(reader: D) -> Result<Option<T>, D::Error> {
    T::deserialize(reader).map(Some)
}

/// Yes or no: a boolean, or in a query its name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flag(pub bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct YesOrNo;
        impl Visitor<'_> for YesOrNo {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or false")
            }

            fn visit_bool<E: Error>(self, yes: bool) -> Result<Flag, E> {
                Ok(Flag(yes))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Flag, E> {
                match text {
                    "true" | "1" => Ok(Flag(true)),
                    "false" | "0" | "" => Ok(Flag(false)),
                    other => Err(E::custom(format_args!("expected true or false, not \"{other}\""))),
                }
            }
        }
        reader.deserialize_any(YesOrNo)
    }
}

/// One of a few words. What is no text at all is refused as such.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Word<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let text = String::deserialize(reader)?;
        T::deserialize(text.into_deserializer()).map(Self)
    }
}

/// A whole number that is not negative; in a query its digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Whole(pub u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl Visitor<'_> for Numbers {
            type Value = Whole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Whole, E> {
                Ok(Whole(number))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Whole, E> {
                let shown: String = text.chars().take(40).collect();
                text.trim()
                    .parse()
                    .map(Whole)
                    .map_err(|_| E::custom(format_args!("expected a whole number, not \"{shown}\"")))
            }
        }
        reader.deserialize_any(Numbers)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{from_str, json};

    #[test]
    fn one_text_many_or_none() {
        let texts = |json: &str| from_str::<OneOrMany>(json).unwrap().0;
        assert_eq!(texts("\"a\""), ["a"]);
        assert_eq!(texts("[\"a\", 628111]"), ["a", "628111"]);
        assert!(texts("null").is_empty());
        for bad in ["{}", "true", "[[]]", "[null]", "1.5"] {
            assert!(from_str::<OneOrMany>(bad).is_err(), "{bad}");
        }
        assert!(from_str::<OneOrMany>(&json!(vec!["x"; 1_001]).to_string()).is_err());
    }

    #[test]
    fn whole_numbers_are_read_from_texts_too() {
        assert_eq!(from_str::<Whole>("15").unwrap(), Whole(15));
        assert_eq!(from_str::<Whole>("\"15\"").unwrap(), Whole(15));
        for bad in ["-1", "1.5", "\"\"", "\"1e3\"", "true", "\"99999999999999999999\""] {
            assert!(from_str::<Whole>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn absent_and_null_are_told_apart() {
        #[derive(serde::Deserialize)]
        struct Body {
            #[serde(default, deserialize_with = "nullable")]
            url: Option<OneOrMany>,
        }
        assert_eq!(from_str::<Body>("{}").unwrap().url, None);
        assert_eq!(from_str::<Body>("{\"url\": null}").unwrap().url, Some(OneOrMany::default()));
    }
}
