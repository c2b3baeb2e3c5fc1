//! What a webhook receiver answered, as a plan.
//!
//! `{"ok"?: bool, "delayMs"?: int, "actions"?: […]}`. A receiver that only says
//! `OK`, or nothing, has no wishes: anything that is not a JSON object is an
//! empty plan, since the status alone said that the event arrived. An object is
//! taken at its word: one that is wrong is a fault of its run, not of the
//! delivery.

use serde_json::Value;
use warest_model::action::{ActionContext, parse_actions};
use warest_model::fault::Fault;
use warest_model::limits::{ANSWER_BYTES, DELAY_MS, PLAN_BYTES};
use warest_model::plan::Plan;
use warest_model::template;

/// Most memory that filling in placeholders may take.
const FILL_BYTES: usize = 32 << 20;

/// Reads an answer's `body`. `scope` is the event body that was delivered:
/// placeholders are looked up in it and in its `data`.
///
/// # Errors
/// `answer_invalid` and `answer_too_large`, `plan_too_large`, `plan_too_deep`,
/// and the faults of actions.
pub fn parse_answer(body: &[u8], scope: &Value, context: &ActionContext, default_delay_ms: u64) -> Result<Plan, Fault> {
    if body.len() > ANSWER_BYTES {
        return Err(Fault::fail("answer_too_large", format!("an answer may have at most {ANSWER_BYTES} bytes")));
    }
    let Ok(Value::Object(mut answer)) = serde_json::from_slice(body) else {
        return Ok(Plan { pause_ms: default_delay_ms, ..Plan::default() });
    };
    let pause_ms = match answer.get("delayMs") {
        None | Some(Value::Null) => default_delay_ms,
        Some(value) => {
            pause(value).ok_or_else(|| invalid("`delayMs` takes a number of milliseconds, up to 30 days"))?
        }
    };
    let mut actions = answer.remove("actions").unwrap_or_default();
    if !matches!(actions, Value::Null | Value::Array(_)) {
        return Err(invalid("`actions` takes a list"));
    }
    if let Some(mut left) = FILL_BYTES.checked_div(placeholders(&actions)) {
        let scope = merged(scope);
        // Before anything is filled in: a short answer may name a long text often.
        if !fits(&scope, &mut left) {
            return Err(too_large());
        }
        template::resolve(&mut actions, &scope);
        if !fits(&actions, &mut { PLAN_BYTES }) {
            return Err(too_large());
        }
    }
    let plan = Plan { nodes: parse_actions(&actions, context)?, pause_ms, state: Vec::new() };
    plan.check()?;
    Ok(plan)
}

fn pause(value: &Value) -> Option<u64> {
    let ms = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }?;
    (0.0..=DELAY_MS as f64).contains(&ms).then_some(ms as u64)
}

/// The event body with the fields of `data` beside its own; its own win.
fn merged(scope: &Value) -> Value {
    let mut fields = scope.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(own) = scope.as_object() {
        fields.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    Value::Object(fields)
}

fn placeholders(value: &Value) -> usize {
    match value {
        Value::String(text) => text.matches("{{").count(),
        Value::Array(items) => items.iter().map(placeholders).sum(),
        Value::Object(fields) => fields.values().map(placeholders).sum(),
        _ => 0,
    }
}

/// Whether `value` has at most `left` bytes, roughly; takes them off.
fn fits(value: &Value, left: &mut usize) -> bool {
    let own = match value {
        Value::String(text) => text.len(),
        _ => 1,
    };
    let Some(rest) = left.checked_sub(own) else { return false };
    *left = rest;
    match value {
        Value::Array(items) => items.iter().all(|item| fits(item, left)),
        Value::Object(fields) => fields.values().all(|field| fits(field, left)),
        _ => true,
    }
}

fn too_large() -> Fault {
    Fault::fail(
        "plan_too_large",
        format!("an answer may have at most {PLAN_BYTES} bytes once its placeholders are filled in"),
    )
}

fn invalid(message: &str) -> Fault {
    Fault::fail("answer_invalid", format!("the receiver's answer: {message}"))
}
