//! The flow language: what a script says is what is done, once.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{CHAT, message, react, shape, texts, with_config};
use serde_json::{Value, json};
use warest_model::fault::Fault;
use warest_model::plan::{Effect, Node, Plan, StateWrite};
use warest_react::Input;
use warest_react::flow::{FlowEngine, FlowLimits};

async fn run_on(input: Input, script: &str) -> Result<Plan, Fault> {
    let engine = FlowEngine::new(FlowLimits { threads: 1, ..FlowLimits::default() }).unwrap();
    let flow = engine.compile(script).unwrap_or_else(|error| panic!("{error}\n{script}"));
    react(&*flow, input).await
}

async fn run(script: &str) -> Plan {
    run_on(message("ping"), script).await.unwrap_or_else(|fault| panic!("{fault}\n{script}"))
}

fn text(text: &str) -> Value {
    let content = json!({"type": "text", "text": text, "preview": false});
    json!({"node": "effect", "effect": {"type": "message", "content": content, "forwarded": false}})
}

fn key() -> Value {
    json!({"remoteJid": CHAT, "fromMe": false, "id": "3EB0EC4E"})
}

#[tokio::test]
async fn each_function_says_its_action() {
    let effect = |effect: Value| json!([{"node": "effect", "effect": effect}]);
    let shown = |ms: u64| {
        json!([{"node": "queue", "delay_ms": 0, "items": [
            {"node": "effect", "effect": {"type": "presence", "state": "composing"}},
            {"node": "delay", "ms": ms},
            {"node": "effect", "effect": {"type": "presence", "state": "paused"}},
        ]}])
    };
    for (script, expected) in [
        ("", json!([])),
        (r#"reply("hi")"#, json!([text("hi")])),
        (r#"reply(42);"#, json!([text("42")])),
        (r#"text("0812 345 678", "hi")"#, json!([text("hi")])),
        (r#"text(#{to: chat, text: "hi"})"#, json!([text("hi")])),
        (r#"action(#{type: "text", text: "hi"})"#, json!([text("hi")])),
        (r#"react("👍")"#, effect(json!({"type": "react", "key": key(), "emoji": "👍"}))),
        (r#"react(event.data.key, "👍")"#, effect(json!({"type": "react", "key": key(), "emoji": "👍"}))),
        ("read()", effect(json!({"type": "read", "keys": [key()]}))),
        ("read(key)", effect(json!({"type": "read", "keys": [key()]}))),
        ("read([key, key])", effect(json!({"type": "read", "keys": [key(), key()]}))),
        ("typing(900)", shown(900)),
        ("typing(chat, 900)", shown(900)),
        (r#"presence("available")"#, effect(json!({"type": "presence", "state": "available"}))),
        (r#"presence("paused", chat)"#, effect(json!({"type": "presence", "state": "paused"}))),
        ("delay(7200000)", json!([{"node": "delay", "ms": 7_200_000}])),
        ("noop()", json!([{"node": "noop"}])),
        (
            r#"queue([reply("a"), reply("b")])"#,
            json!([{"node": "queue", "delay_ms": 0, "items": [text("a"), text("b")]}]),
        ),
        (r#"queue(50, [reply("a")])"#, json!([{"node": "queue", "delay_ms": 50, "items": [text("a")]}])),
        (r#"parallel([reply("a"), noop()])"#, json!([{"node": "parallel", "items": [text("a"), {"node": "noop"}]}])),
        (
            r#"when(text == "ping", [reply("a")], [reply("b")])"#,
            json!([{"node": "when", "cond": true, "then": [text("a")], "otherwise": [text("b")]}]),
        ),
        (r#"when("no", reply("a"))"#, json!([{"node": "when", "cond": false, "then": [text("a")], "otherwise": []}])),
        (
            r#"retry(#{attempts: 5, delay_ms: 20}, reply("a"), [reply("b")])"#,
            json!([{"node": "retry", "attempts": 5, "delay_ms": 20, "item": text("a"), "on_fail": [text("b")]}]),
        ),
        (
            r#"retry(#{}, [reply("a"), reply("b")])"#,
            json!([{"node": "retry", "attempts": 3, "delay_ms": 500, "on_fail": [],
                "item": {"node": "queue", "delay_ms": 0, "items": [text("a"), text("b")]}}]),
        ),
    ] {
        assert_eq!(shape(&run(script).await), expected, "{script}");
    }
}

#[tokio::test]
async fn what_is_said_is_done_once() {
    for (script, expected) in [
        (r#"reply("a"); reply("b");"#, vec!["a", "b"]),
        (r#"reply("a"); reply("b")"#, vec!["a", "b"]),
        (r#"let a = reply("a"); reply("b"); a"#, vec!["b", "a"]),
        (r#"[reply("a"), reply("b")]"#, vec!["a", "b"]),
        (r#"#{type: "text", text: "a"}"#, vec!["a"]),
        (r#"[#{type: "text", text: "a"}, reply("b")]"#, vec!["a", "b"]),
        (r#"reply("a"); #{type: "text", text: "b"}; 3"#, vec!["a"]),
        (r#"let a = reply("a"); queue([a]); reply("b");"#, vec!["a", "b"]),
        (r#"let a = reply("a"); queue([a, a]);"#, vec!["a", "a"]),
        (r#"let a = reply("a"); a.text = "c"; queue([a]);"#, vec!["c"]),
        (r#"let a = reply("a"); a.text = "c"; a"#, vec!["c"]),
        (r#"queue([parallel([when(true, [retry(#{}, reply("a"))])])])"#, vec!["a"]),
        (r#"let items = []; for i in 1..=3 { items.push(reply(`${i}`)); } parallel(items);"#, vec!["1", "2", "3"]),
        (r#"fn twice(t) { reply(t); reply(t) } twice("a");"#, vec!["a", "a"]),
        (r#"fn both() { [reply("a"), reply("b")] } queue(both())"#, vec!["a", "b"]),
        (r#"queue([if text == "ping" { reply("a") }, if text == "x" { reply("b") }])"#, vec!["a"]),
        (r#"if text == "ping" { reply("a"); return; } reply("b")"#, vec!["a"]),
        (r#"reply("a"); exit();"#, vec!["a"]),
        (r#"action(reply("a"))"#, vec!["a"]),
        (r#"try { reply("a"); throw "x" } catch { reply("b") }"#, vec!["a", "b"]),
        (r#"["a", "b"].map(|t| reply(t + "!"))"#, vec!["a!", "b!"]),
    ] {
        assert_eq!(texts(&run(script).await), expected, "{script}");
    }
}

#[tokio::test]
async fn a_script_sees_the_event_as_a_webhook_receiver_does() {
    let script = r#"
        reply(`${event.event} ${event.data.text} ${event.session.id} ${event.ts}`);
        reply(`${text} ${sender} ${chat == data.chatId} ${key.id} ${session.label} ${config.greeting}`);
        reply(`${now()} ${event.data.nothing ?? "none"}`);
    "#;
    let input = with_config(message("ping"), json!({"greeting": "hi"}));
    assert_eq!(
        texts(&run_on(input, script).await.unwrap()),
        [
            "message_received ping demo 1732364392000".to_owned(),
            format!("ping {CHAT} true 3EB0EC4E Demo hi"),
            "1732364392500 none".to_owned(),
        ]
    );
}

#[tokio::test]
async fn functions_see_the_event_too() {
    let script = r#"
        fn greet(greeting) { reply(`${greeting} ${sender}: ${event.data.text}`) }
        fn own(text) { reply(text) }
        greet("hi");
        own("mine");
        let text = "shadowed";
        reply(text);
    "#;
    let plan = run(script).await;
    assert_eq!(texts(&plan), [format!("hi {CHAT}: ping"), "mine".into(), "shadowed".into()]);
}

#[tokio::test]
async fn the_longest_messages_can_be_read() {
    let input = message(&"x".repeat(65_536));
    let plan = run_on(input, "reply(event.data.text.len); reply(text); reply(data.message.text);").await.unwrap();
    assert_eq!(texts(&plan)[0], "65536");
    assert_eq!(texts(&plan)[2].len(), 65_536);
}

#[tokio::test]
async fn a_reply_goes_to_the_chat_of_the_event() {
    let plan = run(r#"reply("hi"); text("0812", "x"); text(["62811", "62812"], "y");"#).await;
    assert!(matches!(&plan.nodes[0], Node::Effect { effect: Effect::Message { to, .. } } if to.to_string() == CHAT));
    assert!(matches!(&plan.nodes[2], Node::Parallel { items } if items.len() == 2));
}

#[tokio::test]
async fn state_is_read_written_and_kept_with_its_types() {
    let mut input = message("ping");
    input.state.insert("count".into(), "2".into());
    input.state.insert("old".into(), "x".into());
    let script = r#"
        set("count", (get("count") ?? 0) + 1);
        set("name", "Sari");
        set("digits", "007");
        set("cart", #{items: [1, 2]});
        remove("old");
        reply(`${get("count")} ${get("name")} ${get("digits")} ${get("cart").items[1]} ${get("old") == ()}`);
    "#;
    let plan = run_on(input, script).await.unwrap();
    assert_eq!(texts(&plan), ["3 Sari 007 2 true"]);
    let write = |key: &str, value: Option<&str>| StateWrite { key: key.into(), value: value.map(Into::into) };
    assert_eq!(
        plan.state,
        [
            write("cart", Some(r#"{"items":[1,2]}"#)),
            write("count", Some("3")),
            write("digits", Some("007")),
            write("name", Some("Sari")),
            write("old", None),
        ]
    );
    // What looks like a number but was a string comes back as a string.
    let plan = run(r#"set("n", "12"); reply(type_of(get("n")));"#).await;
    assert_eq!(texts(&plan), ["string"]);
}

#[tokio::test]
async fn a_mistake_is_a_fault_that_says_where() {
    for (script, code, says) in [
        ("let x = 1;\nlet y = x + nothing;", "script_error", "line 2, column 13: "),
        ("fn f() {\n  throw \"bad\"\n}\nf();", "script_error", "line 2, column 3: "),
        ("reply(\"a\");\n\nfrobnicate(1)", "script_error", "line 3, column 1: "),
        ("queue([1])", "script_error", "an action was expected"),
        ("retry(#{tries: 3}, noop())", "script_error", "`tries`"),
        ("text(\"\", \"x\")", "recipient_invalid", "action 0"),
        ("reply(\"\")", "text_missing", "action 0"),
        ("noop(); action(#{type: \"teleport\"})", "action_unknown", "action 1"),
        ("sleep(1)", "script_error", "delay(ms)"),
        ("sleep(1.5)", "script_error", "delay(ms)"),
        ("eval(\"1\")", "compile", "eval"),
        ("let f = |x| x; f.curry(1)", "compile", "property"),
        ("let f = |x| x; curry(f, 1)", "compile", "curry"),
        ("fn f() { this }", "compile", "this"),
        ("import \"x\" as y;", "compile", "import"),
    ] {
        let engine = FlowEngine::new(FlowLimits { threads: 1, ..FlowLimits::default() }).unwrap();
        let (found, message) = match engine.compile(script) {
            Ok(flow) => {
                let fault = react(&*flow, message("ping")).await.unwrap_err();
                (fault.code, fault.message)
            }
            Err(error) => ("compile".to_owned(), error.to_string()),
        };
        assert_eq!(found, code, "{script}: {message}");
        assert!(message.contains(says), "{script}: {message}");
    }
}

#[tokio::test]
async fn an_event_without_a_message_has_nothing_to_react_to() {
    let mut input = message("ping");
    let mut event = (*input.event).clone();
    event.data = json!({"state": "open"});
    input.event = event.into();
    let fault = run_on(input, "react(\"👍\")").await.unwrap_err();
    assert_eq!(fault.code, "script_error");
    assert!(fault.message.contains("no message"), "{fault}");
}

#[test]
fn a_script_that_does_not_compile_says_where() {
    let engine = FlowEngine::new(FlowLimits { threads: 1, ..FlowLimits::default() }).unwrap();
    let error = engine.compile("let x = 1;\nif x == {").unwrap_err();
    assert_eq!(error.line, 2);
    assert!(error.column > 1, "{error:?}");
    let error = engine.compile(&" ".repeat(300 << 10)).unwrap_err();
    assert_eq!((error.line, error.column), (0, 0));
}
