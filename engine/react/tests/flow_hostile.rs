//! Hostile scripts end in their typed fault, and hold up nobody.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{message, react, texts};
use std::sync::Arc;
use std::time::{Duration, Instant};
use warest_react::flow::{FlowEngine, FlowLimits};

fn engine() -> FlowEngine {
    FlowEngine::new(FlowLimits::default()).unwrap()
}

#[tokio::test]
async fn each_ends_in_its_typed_fault() {
    let engine = engine();
    // What grows by small steps is weighed at every step: a slow machine, or a
    // build without optimisation, may meet the deadline first.
    let slowly_too_large = &["script_too_large", "script_deadline"][..];
    let deep_data = "let a = []; loop { a = [a]; }";
    let deep_map = "let a = #{}; loop { a = #{a: a}; }";
    for (script, codes) in [
        ("loop {}", &["script_too_many_operations", "script_deadline"][..]),
        ("let i = 0; while true { i += 1; }", &["script_too_many_operations", "script_deadline"]),
        ("try { loop {} } catch { reply(\"caught\") }", &["script_too_many_operations", "script_deadline"]),
        ("fn f(n) { f(n + 1) } f(0)", &["script_too_deep"]),
        ("fn f(n) { g(n) } fn g(n) { f(n) } f(0)", &["script_too_deep"]),
        ("let f = |x| x; fn g(f) { g(f) } g(f)", &["script_too_deep"]),
        ("let s = \"x\"; loop { s += s; }", &["script_too_large"]),
        ("let s = \"x\"; loop { s = `${s}${s}`; }", &["script_too_large"]),
        ("let s = \"\"; s.pad(1000000000, 'x');", &["script_too_large"]),
        ("let a = [1]; loop { a += a; }", &["script_too_large"]),
        ("let a = []; loop { a.push(\"some text\"); }", slowly_too_large),
        ("let a = []; a.pad(1000000000, 0);", &["script_too_large"]),
        ("let b = blob(1000000000);", &["script_too_large"]),
        ("let m = #{}; let i = 0; loop { m[`k${i}`] = i; i += 1; }", slowly_too_large),
        (
            "let m = #{}; let k = \"x\"; for i in 0..14 { k += k; } let i = 0; loop { m[k + i] = 1; i += 1; }",
            slowly_too_large,
        ),
        ("let a = [0, 0]; loop { a[0] = a; }", slowly_too_large),
        ("let a = [0, 0]; loop { a[0] = a; a[1] = a; }", &["script_too_large"]),
        ("let m = #{}; loop { m.a = m; }", slowly_too_large),
        (deep_data, slowly_too_large),
        (deep_map, slowly_too_large),
        ("let a = [1]; loop { a = [a, a]; }", &["script_too_large"]),
        ("loop { reply(\"x\") }", &["plan_too_large"]),
        ("let a = noop(); loop { a = queue([a]) }", &["plan_too_deep"]),
        ("let s = \"x\"; for i in 0..15 { s += s; } loop { reply(s) }", &["plan_too_large"]),
        ("let a = noop(); loop { a = parallel([a, a]) }", &["plan_too_large", "script_too_large"]),
        ("let i = 0; loop { set(`k${i}`, \"some text\"); i += 1; }", &["state_too_large"]),
        ("set(\"k\", now); ", &["script_error"]),
        (
            "let n = 0; for i in 0..9000000000000000000 { n += i % 2; }",
            &["script_too_many_operations", "script_deadline"],
        ),
    ] {
        let flow = engine.compile(script).unwrap_or_else(|error| panic!("{error}\n{script}"));
        let started = Instant::now();
        let fault = react(&*flow, message("ping")).await.expect_err(script);
        assert!(codes.contains(&fault.code.as_str()), "{script}: {fault}");
        // The limit is 250 ms; the rest is for a machine that does much else.
        assert!(started.elapsed() < Duration::from_secs(10), "{script}: {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_slow_script_meets_the_deadline() {
    let limits = FlowLimits { operations: 0, deadline: Duration::from_millis(50), ..FlowLimits::default() };
    let flow = FlowEngine::new(limits).unwrap().compile("loop {}").unwrap();
    let fault = react(&*flow, message("ping")).await.unwrap_err();
    assert_eq!(fault.code, "script_deadline");
}

#[tokio::test]
async fn the_deepest_permitted_script_fits_the_stack() {
    let engine = engine();
    // As deep as expressions may nest, in functions that call each other as
    // deeply as they may.
    for depth in (1..200).rev() {
        let open = "if n >= 0 { [(".repeat(depth);
        let close = ")] }".repeat(depth);
        let script = format!("fn f(n) {{ {open}f(n + 1){close} }} f(0)");
        if let Ok(flow) = engine.compile(&script) {
            let fault = react(&*flow, message("ping")).await.unwrap_err();
            assert_eq!(fault.code, "script_too_deep");
            return;
        }
    }
    panic!("no depth compiles");
}

#[test]
fn deep_source_is_refused_by_the_parser() {
    let engine = engine();
    for script in ["(".repeat(100_000), "[".repeat(100_000), "-".repeat(100_000), "{".repeat(100_000)] {
        assert!(engine.compile(&script).is_err());
    }
    let calls = format!("{}1{}", "f(".repeat(10_000), ")".repeat(10_000));
    assert!(engine.compile(&calls).is_err());
    // Chains of operators and properties are deep trees too.
    let chain = format!("let x = 1{};", "+1".repeat(60_000));
    let properties = format!("let x = #{{}}; x{};", ".a".repeat(60_000));
    for script in [chain, properties] {
        drop(engine.compile(&script));
    }
}

#[tokio::test]
async fn long_chains_do_not_exhaust_the_stack_when_they_run() {
    let engine = engine();
    for script in [
        format!("let x = 1{};", "+x".repeat(20_000)),
        format!("let x = 1; x = x{};", "+x".repeat(20_000)),
        format!("let x = #{{}}; x{};", ".a".repeat(20_000)),
        format!("let s = \"\"; s{};", ".trim()".repeat(20_000)),
        format!("if false {{}} {}", "else if false {}".repeat(10_000)),
    ] {
        if let Ok(flow) = engine.compile(&script) {
            // However it ends, it ends by itself.
            drop(react(&*flow, message("ping")).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ping_flow_answers_while_others_loop() {
    let engine = engine();
    let ping = engine.compile("if text == \"ping\" { reply(\"pong\") }").unwrap();
    let limits = "loop {}";
    let hostile: Vec<_> = (0..2).map(|_| engine.compile(limits).unwrap()).collect();
    let mut looping = Vec::new();
    for flow in &hostile {
        for _ in 0..6 {
            let flow = Arc::clone(flow);
            looping.push(tokio::spawn(async move { react(&*flow, message("x")).await }));
        }
    }
    for _ in 0..20 {
        let plan = react(&*ping, message("ping")).await.unwrap();
        assert_eq!(texts(&plan), ["pong"]);
    }
    for run in looping {
        assert!(run.await.unwrap().is_err());
    }
}
