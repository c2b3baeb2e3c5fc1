//! JSON to Rhai values and back.

use super::fault::{Stop, stop, wrong};
use rhai::{Array, Dynamic, Map};
use serde_json::{Number, Value};
use warest_model::fault::Fault;
use warest_model::limits::{PLAN_BYTES, PLAN_DEPTH};

/// Objects and lists alternate in an action list, and a key or a transform may
/// nest below the deepest action.
const JSON_DEPTH: usize = 2 * PLAN_DEPTH + 16;

/// A JSON value as a script sees it. Integers past 63 bits become floats.
pub(super) fn to_dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(to_dynamic).collect::<Array>().into(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.as_str().into(), to_dynamic(value))).collect::<Map>().into()
        }
    }
}

/// A script's value as JSON, of [`PLAN_BYTES`] and a bounded depth at most.
pub(super) fn to_json(value: &Dynamic) -> Result<Value, Stop> {
    Writer { left: PLAN_BYTES }.value(value, 0)
}

struct Writer {
    left: usize,
}

impl Writer {
    fn spend(&mut self, bytes: usize) -> Result<(), Stop> {
        match self.left.checked_sub(bytes) {
            Some(left) => self.left = left,
            None => return Err(stop(too_large())),
        }
        Ok(())
    }

    fn value(&mut self, value: &Dynamic, depth: usize) -> Result<Value, Stop> {
        if depth > JSON_DEPTH {
            return Err(stop(Fault::fail("plan_too_deep", "nested too deeply; flatten queues and branches")));
        }
        self.spend(1)?;
        if value.is_unit() {
            Ok(Value::Null)
        } else if let Ok(value) = value.as_bool() {
            Ok(Value::Bool(value))
        } else if let Ok(value) = value.as_int() {
            Ok(Value::Number(value.into()))
        } else if let Ok(value) = value.as_float() {
            Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
        } else if let Ok(value) = value.as_char() {
            Ok(Value::String(value.to_string()))
        } else if let Ok(text) = value.as_immutable_string_ref() {
            self.spend(text.len())?;
            Ok(Value::String(text.to_string()))
        } else if let Ok(items) = value.as_array_ref() {
            items.iter().map(|item| self.value(item, depth + 1)).collect()
        } else if let Ok(fields) = value.as_map_ref() {
            let mut object = serde_json::Map::new();
            for (name, field) in fields.iter() {
                self.spend(name.len())?;
                object.insert(name.to_string(), self.value(field, depth + 1)?);
            }
            Ok(Value::Object(object))
        } else {
            Err(wrong(format!("a {} cannot be part of an action", value.type_name())))
        }
    }
}

/// The fault of a plan past [`PLAN_BYTES`].
pub(super) fn too_large() -> Fault {
    Fault::fail(
        "plan_too_large",
        format!("a plan may have at most {PLAN_BYTES} bytes as JSON; split the work over several events"),
    )
}
