//! Protobuf as JSON that a receiver can use: field names in camelCase, absent
//! and empty fields left out, bytes in base64.
//!
//! What comes here was written by a peer, so it is bounded while it is built:
//! byte strings past [`BYTES`] (thumbnails, mostly) are left out, and once
//! [`TOTAL`] is used up or [`DEPTH`] is passed, so is everything else.

use base64::Engine as _;
use serde::ser::{self, Serialize};
use serde_json::{Map, Number, Value};
use std::cell::Cell;
use std::fmt;

/// Longest byte string that is shown.
const BYTES: usize = 1 << 10;
/// Most bytes of names and values in all.
const TOTAL: usize = 128 << 10;
/// Deepest nesting.
const DEPTH: usize = 12;

/// Shows `message` as JSON. An empty object if nothing of it can be shown.
pub(super) fn lean<T: Serialize>(message: &T) -> Value {
    let left = Cell::new(TOTAL);
    match message.serialize(Lean { left: &left, depth: 0 }) {
        Ok(Out::Value(value) | Out::OneOf(_, value)) => value,
        Ok(Out::Byte(byte)) => Value::from(byte),
        Ok(Out::Nothing) | Err(_) => Value::Object(Map::new()),
    }
}

/// What one value became.
enum Out {
    Nothing,
    /// A byte on its own is a number; bytes in a row are a byte string.
    Byte(u8),
    Value(Value),
    /// The one field of several that is there. It stands for itself: the name of
    /// the choice is not on the wire.
    OneOf(&'static str, Value),
}

#[derive(Debug)]
struct Unfit;

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not shown as JSON")
    }
}

impl std::error::Error for Unfit {}

impl ser::Error for Unfit {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

type Shown = Result<Out, Unfit>;

#[derive(Clone, Copy)]
struct Lean<'a> {
    left: &'a Cell<usize>,
    depth: usize,
}

impl Lean<'_> {
    /// Takes `size` from the budget; false if it is not there.
    fn take(&self, size: usize) -> bool {
        match self.left.get().checked_sub(size) {
            Some(left) => {
                self.left.set(left);
                true
            }
            None => {
                self.left.set(0);
                false
            }
        }
    }

    fn number(self, number: impl Into<Number>) -> Shown {
        Ok(if self.take(8) { Out::Value(Value::Number(number.into())) } else { Out::Nothing })
    }

    fn deeper(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }

    fn base64(self, bytes: &[u8]) -> Out {
        if bytes.is_empty() || bytes.len() > BYTES || !self.take(bytes.len() * 4 / 3 + 4) {
            return Out::Nothing;
        }
        Out::Value(Value::String(base64::engine::general_purpose::STANDARD.encode(bytes)))
    }
}

impl<'a> ser::Serializer for Lean<'a> {
    type Ok = Out;
    type Error = Unfit;
    type SerializeSeq = Seq<'a>;
    type SerializeTuple = Seq<'a>;
    type SerializeTupleStruct = Seq<'a>;
    type SerializeTupleVariant = Seq<'a>;
    type SerializeMap = Object<'a>;
    type SerializeStruct = Object<'a>;
    type SerializeStructVariant = Object<'a>;

    fn serialize_bool(self, value: bool) -> Shown {
        Ok(Out::Value(Value::Bool(value)))
    }
    fn serialize_i8(self, value: i8) -> Shown {
        self.number(value)
    }
    fn serialize_i16(self, value: i16) -> Shown {
        self.number(value)
    }
    fn serialize_i32(self, value: i32) -> Shown {
        self.number(value)
    }
    fn serialize_i64(self, value: i64) -> Shown {
        self.number(value)
    }
    fn serialize_u8(self, value: u8) -> Shown {
        Ok(Out::Byte(value))
    }
    fn serialize_u16(self, value: u16) -> Shown {
        self.number(value)
    }
    fn serialize_u32(self, value: u32) -> Shown {
        self.number(value)
    }
    fn serialize_u64(self, value: u64) -> Shown {
        self.number(value)
    }
    fn serialize_f32(self, value: f32) -> Shown {
        self.serialize_f64(f64::from(value))
    }
    fn serialize_f64(self, value: f64) -> Shown {
        Ok(Number::from_f64(value).map_or(Out::Nothing, |number| Out::Value(Value::Number(number))))
    }
    fn serialize_char(self, value: char) -> Shown {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }
    fn serialize_str(self, value: &str) -> Shown {
        Ok(if self.take(value.len() + 8) { Out::Value(Value::String(value.to_owned())) } else { Out::Nothing })
    }
    fn serialize_bytes(self, value: &[u8]) -> Shown {
        Ok(self.base64(value))
    }
    fn serialize_none(self) -> Shown {
        Ok(Out::Nothing)
    }
    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Shown {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Shown {
        Ok(Out::Nothing)
    }
    fn serialize_unit_struct(self, _: &'static str) -> Shown {
        Ok(Out::Nothing)
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Shown {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: ?Sized + Serialize>(self, _: &'static str, value: &T) -> Shown {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Shown {
        Ok(match value.serialize(self)? {
            Out::Value(value) => Out::OneOf(variant, value),
            Out::Byte(byte) => Out::OneOf(variant, Value::from(byte)),
            other => other,
        })
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Seq<'a>, Unfit> {
        Ok(Seq { lean: self, items: Vec::new(), bytes: Vec::new() })
    }
    fn serialize_tuple(self, len: usize) -> Result<Seq<'a>, Unfit> {
        self.serialize_seq(Some(len))
    }
    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Seq<'a>, Unfit> {
        self.serialize_seq(Some(len))
    }
    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, len: usize) -> Result<Seq<'a>, Unfit> {
        self.serialize_seq(Some(len))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Object<'a>, Unfit> {
        Ok(Object::new(self))
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Object<'a>, Unfit> {
        Ok(Object::new(self))
    }
    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Object<'a>, Unfit> {
        Ok(Object::new(self))
    }
}

struct Seq<'a> {
    lean: Lean<'a>,
    items: Vec<Value>,
    bytes: Vec<u8>,
}

impl Seq<'_> {
    fn push<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Unfit> {
        if self.lean.depth >= DEPTH {
            return Ok(());
        }
        match value.serialize(self.lean.deeper())? {
            Out::Nothing => {}
            // One past the bound is enough to know that it is too long.
            Out::Byte(byte) if self.bytes.len() <= BYTES => self.bytes.push(byte),
            Out::Byte(_) => {}
            Out::Value(value) | Out::OneOf(_, value) => self.items.push(value),
        }
        Ok(())
    }

    fn done(self) -> Out {
        match (self.items.is_empty(), self.bytes.is_empty()) {
            (true, true) => Out::Nothing,
            (true, false) => self.lean.base64(&self.bytes),
            (false, _) => Out::Value(Value::Array(self.items)),
        }
    }
}

macro_rules! seq {
    ($($part:ident :: $method:ident),*) => {$(
        impl ser::$part for Seq<'_> {
            type Ok = Out;
            type Error = Unfit;
            fn $method<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Unfit> {
                self.push(value)
            }
            fn end(self) -> Shown {
                Ok(self.done())
            }
        }
    )*};
}

seq!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

struct Object<'a> {
    lean: Lean<'a>,
    fields: Map<String, Value>,
    key: Option<String>,
}

impl<'a> Object<'a> {
    fn new(lean: Lean<'a>) -> Self {
        Self { lean, fields: Map::new(), key: None }
    }

    fn put<T: ?Sized + Serialize>(&mut self, key: &str, value: &T) -> Result<(), Unfit> {
        if self.lean.depth >= DEPTH {
            return Ok(());
        }
        let (key, value) = match value.serialize(self.lean.deeper())? {
            Out::Nothing => return Ok(()),
            Out::Byte(byte) => (key, Value::from(byte)),
            Out::Value(value) => (key, value),
            Out::OneOf(variant, value) => (variant, value),
        };
        if self.lean.take(key.len() + 8) {
            self.fields.insert(camel(key), value);
        }
        Ok(())
    }

    fn done(self) -> Out {
        if self.fields.is_empty() { Out::Nothing } else { Out::Value(Value::Object(self.fields)) }
    }
}

macro_rules! object {
    ($($part:ident),*) => {$(
        impl ser::$part for Object<'_> {
            type Ok = Out;
            type Error = Unfit;
            fn serialize_field<T: ?Sized + Serialize>(&mut self, key: &'static str, value: &T) -> Result<(), Unfit> {
                self.put(key, value)
            }
            fn end(self) -> Shown {
                Ok(self.done())
            }
        }
    )*};
}

object!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Object<'_> {
    type Ok = Out;
    type Error = Unfit;
    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), Unfit> {
        self.key = match key.serialize(self.lean.deeper())? {
            Out::Value(Value::String(key)) => Some(key),
            Out::Value(other) | Out::OneOf(_, other) => Some(other.to_string()),
            Out::Byte(byte) => Some(byte.to_string()),
            Out::Nothing => None,
        };
        Ok(())
    }
    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Unfit> {
        match self.key.take() {
            Some(key) => self.put(&key, value),
            None => Ok(()),
        }
    }
    fn end(self) -> Shown {
        Ok(self.done())
    }
}

/// `file_sha256` and the `NativeFlowMessage` of a choice in camelCase.
fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut raise = false;
    for letter in name.chars() {
        match letter {
            letter if out.is_empty() => out.extend(letter.to_lowercase()),
            '_' => raise = true,
            letter if raise => {
                out.extend(letter.to_uppercase());
                raise = false;
            }
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use whatsapp_rust::waproto::whatsapp as wa;

    #[test]
    fn fields_are_named_as_on_the_wire_and_bytes_are_base64() {
        let image = wa::message::ImageMessage {
            mimetype: Some("image/jpeg".into()),
            file_sha256: Some(vec![0, 1, 2, 255]),
            file_length: Some(12),
            jpeg_thumbnail: Some(vec![7; 5_000]),
            ..Default::default()
        };
        assert_eq!(lean(&image), json!({"mimetype": "image/jpeg", "fileSha256": "AAEC/w==", "fileLength": 12}));
    }

    #[test]
    fn of_a_choice_only_what_was_chosen_is_named() {
        let reply = wa::message::ButtonsResponseMessage {
            selected_button_id: Some("yes".into()),
            response: Some(wa::message::buttons_response_message::Response::SelectedDisplayText("Yes".into())),
            ..Default::default()
        };
        assert_eq!(lean(&reply), json!({"selectedButtonId": "yes", "selectedDisplayText": "Yes"}));
    }

    #[test]
    fn a_message_that_nests_or_swells_is_cut_and_never_refused() {
        let mut message = wa::Message { conversation: Some("end".into()), ..Default::default() };
        for _ in 0..40 {
            message = wa::Message {
                ephemeral_message: whatsapp_rust::buffa::MessageField::some(wa::message::FutureProofMessage {
                    message: whatsapp_rust::buffa::MessageField::some(message),
                }),
                ..Default::default()
            };
        }
        assert!(lean(&message).to_string().len() < 2_000);
        let swollen = wa::message::ImageMessage { caption: Some("x".repeat(1 << 20)), ..Default::default() };
        assert_eq!(lean(&swollen), json!({}));
    }
}
