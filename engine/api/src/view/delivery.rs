//! Deliveries and their attempts.

use serde_json::{Value, json};
use warest_model::delivery::{Attempt, Delivery, DeliveryState};

/// A delivery, without its attempts.
pub fn delivery_json(delivery: &Delivery) -> Value {
    json!({
        "id": delivery.id,
        "sessionId": delivery.session,
        "chat": delivery.chat,
        "target": delivery.target,
        "eventId": delivery.event,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "status": delivery.status,
        "error": delivery.error,
        "dueAt": (delivery.state == DeliveryState::Pending).then_some(delivery.due_ms),
        "createdAt": delivery.created_ms,
        "endedAt": delivery.ended_ms,
    })
}

/// One attempt.
pub fn attempt_json(attempt: &Attempt) -> Value {
    json!({
        "number": attempt.number,
        "at": attempt.at_ms,
        "tookMs": attempt.took_ms,
        "status": attempt.status,
        "error": attempt.error,
        "answer": attempt.answer,
    })
}
