//! State of the plugin for the chat of the event: at most 64 KiB.
//!
//! Writes are seen by later reads of the same call and saved together with the
//! plan: either both or neither.

use crate::bindings::warest::plugin::kv;

/// A value.
pub fn get(key: &str) -> Option<String> {
    kv::get(key)
}

/// Sets a value; an error says why it cannot be kept.
pub fn set(key: &str, value: &str) -> Result<(), String> {
    kv::set(key, value)
}

/// Removes a value.
pub fn delete(key: &str) {
    kv::delete(key);
}
