//! `{{path.to.field}}` in the strings of a webhook answer.
//!
//! Paths are looked up in one JSON value; what is not there becomes an empty
//! string. A string that is one placeholder and nothing else takes the value
//! with its type, so that `{"keys": "{{data.keys}}"}` stays an array.

use serde_json::Value;

/// Replaces every placeholder in every string of `value`, in place.
pub fn resolve(value: &mut Value, scope: &Value) {
    match value {
        Value::String(text) => {
            if let Some(path) = whole(text) {
                *value = lookup(scope, path).cloned().unwrap_or_else(|| Value::String(String::new()));
            } else if text.contains("{{") {
                *text = replace(text, scope);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| resolve(item, scope)),
        Value::Object(fields) => fields.values_mut().for_each(|field| resolve(field, scope)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The path, if `text` is exactly one placeholder.
fn whole(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    (!inner.contains("{{") && !inner.contains("}}")).then(|| inner.trim())
}

fn replace(text: &str, scope: &Value) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        match after.split_once("}}") {
            Some((path, tail)) => {
                match lookup(scope, path.trim()) {
                    None | Some(Value::Null) => {}
                    Some(Value::String(found)) => out.push_str(found),
                    Some(found) => out.push_str(&found.to_string()),
                }
                rest = tail;
            }
            None => {
                out.push_str("{{");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn lookup<'a>(scope: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(scope, |value, part| match value {
        Value::Object(fields) => fields.get(part),
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn placeholders_are_replaced_and_unknown_ones_become_empty() {
        let scope = json!({"data": {"text": "hi", "n": 3, "keys": [{"id": "A"}]}, "sender": "x"});
        let mut value = json!({
            "a": "{{ data.text }}, {{sender}} {{nope}}!{{", "b": "{{data.keys}}", "c": ["{{data.n}}"],
            "d": "id={{data.keys.0.id}}", "e": "{{nope}}"
        });
        resolve(&mut value, &scope);
        assert_eq!(value, json!({"a": "hi, x !{{", "b": [{"id": "A"}], "c": [3], "d": "id=A", "e": ""}));
    }
}
