//! How much a variable holds, counted in places where Rhai does not look.
//!
//! Rhai checks the size of what operators, literals and functions make, but not
//! what is assigned into a list or a map by index, nor the length of a map's
//! keys. So every variable is weighed when it is used.

use super::FlowLimits;
use rhai::{Array, Dynamic, EvalAltResult, Map, Position};

/// What is left for one variable.
struct Left {
    items: usize,
    fields: usize,
    bytes: usize,
}

/// Refuses a list or map past the limits.
pub(super) fn check(value: &Dynamic, limits: &FlowLimits) -> Result<(), Box<EvalAltResult>> {
    let mut left = Left { items: limits.array_items, fields: limits.map_fields, bytes: limits.string_bytes };
    let fits = if let Ok(items) = value.as_array_ref() {
        left.array(&items)
    } else if let Ok(fields) = value.as_map_ref() {
        left.map(&fields)
    } else {
        return Ok(());
    };
    fits.ok_or_else(|| EvalAltResult::ErrorDataTooLarge("Size of list or map".into(), Position::NONE).into())
}

impl Left {
    fn array(&mut self, items: &Array) -> Option<()> {
        self.items = self.items.checked_sub(items.len())?;
        items.iter().try_for_each(|item| self.value(item))
    }

    fn map(&mut self, fields: &Map) -> Option<()> {
        self.fields = self.fields.checked_sub(fields.len())?;
        fields.iter().try_for_each(|(name, value)| {
            self.bytes = self.bytes.checked_sub(name.len())?;
            self.value(value)
        })
    }

    fn value(&mut self, value: &Dynamic) -> Option<()> {
        if let Ok(text) = value.as_immutable_string_ref() {
            self.bytes = self.bytes.checked_sub(text.len())?;
        } else if let Ok(items) = value.as_array_ref() {
            self.array(&items)?;
        } else if let Ok(fields) = value.as_map_ref() {
            self.map(&fields)?;
        } else if let Ok(blob) = value.as_blob_ref() {
            self.items = self.items.checked_sub(blob.len())?;
        }
        Some(())
    }
}
