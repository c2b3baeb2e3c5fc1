//! Webhook answers become plans.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{CHAT, message, texts};
use serde_json::{Value, json};
use warest_model::fault::Fault;
use warest_model::plan::{Effect, Node, Plan};
use warest_react::reply::parse_answer;

fn parse(body: &str) -> Result<Plan, Fault> {
    let input = message("ping");
    parse_answer(body.as_bytes(), &input.body(), &input.action_context(), 1_200)
}

#[test]
fn the_seeds_example_answer_becomes_a_plan() {
    let plan = parse(
        r#"{
          "ok": true,
          "delayMs": 800,
          "actions": [
            {"act": "read", "keys": [{"remoteJid": "6281234567890@s.whatsapp.net", "id": "3EB0EC4ED6916F3F123", "fromMe": false}]},
            {"act": "delay", "ms": 1200, "state": "composing", "to": "6281234567890@s.whatsapp.net"},
            {"type": "text", "to": "6281234567890", "text": "Balasan otomatis dari webhook."}
          ]
        }"#,
    )
    .unwrap();
    assert_eq!(plan.pause_ms, 800);
    assert_eq!(plan.nodes.len(), 3);
    assert!(
        matches!(&plan.nodes[0], Node::Effect { effect: Effect::Read { keys } } if keys[0].id == "3EB0EC4ED6916F3F123")
    );
    assert!(matches!(&plan.nodes[1], Node::Queue { items, .. } if items[1] == Node::Delay { ms: 1_200 }));
    assert!(matches!(&plan.nodes[2], Node::Effect { effect: Effect::Message { to, .. } } if to.to_string() == CHAT));
}

#[test]
fn an_answer_without_wishes_is_an_empty_plan() {
    for body in ["", "OK", "<html>", "null", "[]", "3", "\"actions\"", "{}", r#"{"ok": true}"#, r#"{"actions": null}"#]
    {
        let plan = parse(body).unwrap();
        assert!(plan.is_empty(), "{body}");
        assert_eq!(plan.pause_ms, 1_200, "{body}");
    }
    assert!(parse_answer(&[0xff, 0xfe], &json!({}), &message("x").action_context(), 0).unwrap().is_empty());
}

#[test]
fn an_answer_that_is_wrong_is_a_fault() {
    for (body, code) in [
        (r#"{"actions": {"type": "noop"}}"#.to_owned(), "answer_invalid"),
        (r#"{"actions": "text"}"#.into(), "answer_invalid"),
        (r#"{"delayMs": "soon", "actions": []}"#.into(), "answer_invalid"),
        (r#"{"delayMs": -1}"#.into(), "answer_invalid"),
        (r#"{"actions": [{"type": "teleport"}]}"#.into(), "action_unknown"),
        (json!({"actions": vec![json!({"type": "noop"}); 1_001]}).to_string(), "plan_too_large"),
        (
            json!({"actions": [{"act": "queue", "items": vec![json!({"type": "noop"}); 1_001]}]}).to_string(),
            "plan_too_large",
        ),
        (" ".repeat((1 << 20) + 1), "answer_too_large"),
    ] {
        assert_eq!(parse(&body).unwrap_err().code, code, "{}", &body[..body.len().min(80)]);
    }
}

#[test]
fn placeholders_are_looked_up_in_the_event_and_its_data() {
    let plan = parse(
        r#"{"actions": [
            {"type": "text", "to": "{{data.sender}}", "text": "{{event}} {{text}} {{data.text}} {{session.id}} {{nope}}!"},
            {"act": "read", "key": "{{key}}"}
        ]}"#,
    )
    .unwrap();
    assert_eq!(texts(&plan), ["message_received ping ping demo !"]);
    assert!(matches!(&plan.nodes[1], Node::Effect { effect: Effect::Read { keys } } if keys[0].id == "3EB0EC4E"));
}

#[test]
fn placeholders_cannot_fill_the_memory() {
    let input = message(&"x".repeat(60_000));
    let answer = |times: usize| json!({"actions": [{"type": "text", "text": "{{text}}".repeat(times)}]}).to_string();
    let parse = |body: String| parse_answer(body.as_bytes(), &input.body(), &input.action_context(), 0);
    assert!(parse(answer(1)).is_ok());
    for times in [20, 100, 10_000, 100_000] {
        assert_eq!(parse(answer(times)).unwrap_err().code, "plan_too_large");
    }
    let many: Value = json!({"actions": vec![json!({"type": "text", "text": "{{text}}"}); 100]});
    assert_eq!(parse(many.to_string()).unwrap_err().code, "plan_too_large");
}
