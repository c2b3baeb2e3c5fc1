//! Reads protobuf JSON into WhatsApp's types, whose own readers know field names
//! in snake_case and bytes as lists of numbers only.
//!
//! Names may be written in camelCase or snake_case; bytes in base64, as a list
//! or as Node's `{"type": "Buffer", "data": …}`; 64-bit numbers as text or as
//! `{low, high}`; the members of a `oneof` beside its other fields. A name that
//! is no field is an error, so that a misspelt message is not sent half.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde::de::value::{BorrowedStrDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// The groups of fields of which one is given: the name in WhatsApp's types,
/// and the members.
const ONE_OF: [(&str, &[&str]); 8] = [
    ("interactive_message", &["ShopStorefrontMessage", "CollectionMessage", "NativeFlowMessage", "CarouselMessage"]),
    (
        "media",
        &[
            "DocumentMessage",
            "ImageMessage",
            "JpegThumbnail",
            "VideoMessage",
            "LocationMessage",
            "ProductMessage",
            "AudioMessage",
        ],
    ),
    ("interactive_response_message", &["NativeFlowResponseMessage"]),
    ("header", &["Text", "DocumentMessage", "ImageMessage", "VideoMessage", "LocationMessage"]),
    ("response", &["SelectedDisplayText"]),
    ("format", &["FourRowTemplate", "HydratedFourRowTemplate", "InteractiveMessageTemplate"]),
    (
        "title",
        &[
            "DocumentMessage",
            "HighlyStructuredMessage",
            "HydratedTitleText",
            "ImageMessage",
            "VideoMessage",
            "LocationMessage",
        ],
    ),
    ("hydrated_button", &["QuickReplyButton", "UrlButton", "CallButton"]),
];

/// Why JSON is no message.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unread(String);

impl de::Error for Unread {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// Reads a value.
pub(super) fn read<'a, T: de::Deserialize<'a>>(json: &'a Value) -> Result<T, Unread> {
    T::deserialize(Reader { json, member: None })
}

/// A name without the ways of writing it.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|letter| *letter != '_').map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Reads one value; `member` is set where it is the given member of a `oneof`.
#[derive(Clone, Copy)]
struct Reader<'a> {
    json: &'a Value,
    member: Option<&'static str>,
}

impl Reader<'_> {
    fn wrong(&self, wanted: &str) -> Unread {
        let found = match self.json {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        Unread(format!("{wanted} is expected, not {found}"))
    }

    fn bytes(&self) -> Result<Vec<u8>, Unread> {
        match self.json {
            Value::String(text) => [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
                .iter()
                .find_map(|engine| engine.decode(text).ok())
                .ok_or_else(|| Unread("bytes are written in base64".to_owned())),
            Value::Array(items) => items
                .iter()
                .map(|item| item.as_u64().and_then(|byte| u8::try_from(byte).ok()))
                .collect::<Option<_>>()
                .ok_or_else(|| Unread("bytes are numbers from 0 to 255".to_owned())),
            Value::Object(fields) if is_buffer(fields) => {
                Self { json: fields.get("data").unwrap_or(&Value::Null), member: None }.bytes()
            }
            _ => Err(self.wrong("base64")),
        }
    }

    /// A whole number, in any of the forms in which JSON carries 64 bits.
    fn whole(&self) -> Result<i128, Unread> {
        let number = match self.json {
            Value::Number(number) => {
                number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)).or_else(|| {
                    let float = number.as_f64()?;
                    // Exact up to 2^53, which is what a client could have meant.
                    (float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0).then_some(float as i128)
                })
            }
            Value::String(text) => text.trim().parse().ok(),
            Value::Object(fields) => {
                let half = |name: &str| fields.get(name).and_then(Value::as_i64);
                match (half("low"), half("high")) {
                    (Some(low), Some(high)) => Some((i128::from(high) << 32) | i128::from(low as u32)),
                    _ => None,
                }
            }
            _ => None,
        };
        number.ok_or_else(|| self.wrong("a whole number"))
    }
}

fn is_buffer(fields: &Map<String, Value>) -> bool {
    fields.get("type").and_then(Value::as_str) == Some("Buffer") && fields.contains_key("data")
}

macro_rules! whole {
    ($($method:ident $visit:ident $type:ty,)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
            let number = self.whole()?;
            match <$type>::try_from(number) {
                Ok(number) => visitor.$visit(number),
                Err(_) => Err(Unread(format!("{number} is out of range"))),
            }
        }
    )+};
}

impl<'de> de::Deserializer<'de> for Reader<'de> {
    type Error = Unread;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        match self.json {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Number(_) => match self.whole() {
                Ok(_) => self.deserialize_i64(visitor),
                Err(_) => self.deserialize_f64(visitor),
            },
            Value::Array(_) => self.deserialize_seq(visitor),
            Value::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        if self.json.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unread> {
        visitor.visit_newtype_struct(self)
    }

    whole! {
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        match self.json.as_f64() {
            Some(number) => visitor.visit_f64(number),
            None => Err(self.wrong("a number")),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        match self.json {
            Value::Bool(value) => visitor.visit_bool(*value),
            _ => Err(self.wrong("true or false")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        match self.json {
            Value::String(text) => visitor.visit_borrowed_str(text),
            _ => Err(self.wrong("a text")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        visitor.visit_byte_buf(self.bytes()?)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        match self.json {
            Value::Array(items) => visitor.visit_seq(Items { items: items.iter(), at: 0 }),
            // What the types call a list of numbers is a byte string.
            _ => visitor.visit_seq(SeqDeserializer::<_, Unread>::new(self.bytes()?.into_iter())),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        match self.json {
            Value::Object(fields) => {
                let entries =
                    fields.iter().map(|(name, json)| (name.as_str(), Reader { json, member: None })).collect();
                visitor.visit_map(Fields { entries, next: None })
            }
            _ => Err(self.wrong("an object")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unread> {
        let Value::Object(fields) = self.json else { return Err(self.wrong("an object")) };
        let mut entries = Vec::with_capacity(fields.len());
        for (name, json) in fields.iter().filter(|(_, json)| !json.is_null()) {
            entries.push(field(name, json, known)?);
        }
        visitor.visit_map(Fields { entries, next: None })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unread> {
        let named = |name: &str| {
            let name = plain(name);
            variants.iter().find(|variant| plain(variant) == name).copied()
        };
        let unknown = |name: &str| Unread(format!("\"{name}\" is none of {}", variants.join(", ")));
        if let Some(member) = self.member {
            let variant = named(member).ok_or_else(|| unknown(member))?;
            return visitor.visit_enum(Choice { variant, content: Some(self.json) });
        }
        match self.json {
            Value::String(name) => {
                let variant = named(name).ok_or_else(|| unknown(name))?;
                visitor.visit_enum(Choice { variant, content: None })
            }
            Value::Object(fields) if fields.len() == 1 => {
                let (name, content) = fields.iter().next().ok_or_else(|| self.wrong("an object"))?;
                let variant = named(name).ok_or_else(|| unknown(name))?;
                visitor.visit_enum(Choice { variant, content: Some(content) })
            }
            Value::Number(_) => Err(Unread(format!("write one of {} by its name", variants.join(", ")))),
            _ => Err(self.wrong("a name")),
        }
    }

    serde::forward_to_deserialize_any! { i128 u128 char unit unit_struct tuple tuple_struct identifier ignored_any }
}

/// The field that a name stands for: one of the known, or a group of which it is
/// a member.
fn field<'a>(
    name: &str,
    json: &'a Value,
    known: &'static [&'static str],
) -> Result<(&'static str, Reader<'a>), Unread> {
    let wanted = plain(name);
    if let Some(field) = known.iter().find(|field| plain(field) == wanted) {
        return Ok((field, Reader { json, member: None }));
    }
    let group = ONE_OF.iter().filter(|(group, _)| known.contains(group)).find_map(|(group, members)| {
        members.iter().find(|member| plain(member) == wanted).map(|member| (*group, *member))
    });
    match group {
        Some((group, member)) => Ok((group, Reader { json, member: Some(member) })),
        None => Err(Unread(format!("`{name}` is no field here"))),
    }
}

struct Fields<'a> {
    entries: Vec<(&'a str, Reader<'a>)>,
    next: Option<(&'a str, Reader<'a>)>,
}

impl<'a> MapAccess<'a> for Fields<'a> {
    type Error = Unread;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Unread> {
        self.next = self.entries.pop();
        match &self.next {
            Some((name, _)) => seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Unread> {
        let (name, reader) = self.next.take().ok_or_else(|| Unread("a field without a value".to_owned()))?;
        seed.deserialize(reader).map_err(|Unread(error)| Unread(format!("{name}: {error}")))
    }
}

struct Items<'a> {
    items: std::slice::Iter<'a, Value>,
    at: usize,
}

impl<'a> SeqAccess<'a> for Items<'a> {
    type Error = Unread;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Unread> {
        let Some(json) = self.items.next() else { return Ok(None) };
        let at = self.at;
        self.at += 1;
        seed.deserialize(Reader { json, member: None })
            .map(Some)
            .map_err(|Unread(error)| Unread(format!("{at}: {error}")))
    }
}

struct Choice<'a> {
    variant: &'static str,
    content: Option<&'a Value>,
}

impl<'a> EnumAccess<'a> for Choice<'a> {
    type Error = Unread;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Self), Unread> {
        let name = seed.deserialize(IntoDeserializer::<Unread>::into_deserializer(self.variant))?;
        Ok((name, self))
    }
}

impl<'a> VariantAccess<'a> for Choice<'a> {
    type Error = Unread;

    fn unit_variant(self) -> Result<(), Unread> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, Unread> {
        let json = self.content.unwrap_or(&Value::Null);
        seed.deserialize(Reader { json, member: None })
            .map_err(|Unread(error)| Unread(format!("{}: {error}", self.variant)))
    }

    fn tuple_variant<V: Visitor<'a>>(self, _: usize, _: V) -> Result<V::Value, Unread> {
        Err(Unread(format!("\"{}\" has no such content", self.variant)))
    }

    fn struct_variant<V: Visitor<'a>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Unread> {
        Err(Unread(format!("\"{}\" has no such content", self.variant)))
    }
}
