//! The sample plugin answers, and hostile guests end in their typed fault while
//! others go on. `WAREST_REBUILT_PLUGINS` names a folder with freshly built
//! components to run the same tests on.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{message, react, texts, with_config};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use warest_model::plan::StateWrite;
use warest_react::flow::{FlowEngine, FlowLimits};
use warest_react::wasm::{LoadedPlugin, PluginHost, PluginLimits, prepare};

/// The component of a guest: as committed, or as rebuilt.
fn component(name: &str) -> Vec<u8> {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins").join(name);
    let folder = std::env::var_os("WAREST_REBUILT_PLUGINS").map_or(committed, PathBuf::from);
    std::fs::read(folder.join(format!("{name}.wasm"))).expect("`plugins/build` makes the components")
}

fn host() -> PluginHost {
    PluginHost::new(PluginLimits::default()).unwrap()
}

async fn load(host: &PluginHost, name: &str) -> LoadedPlugin {
    host.load(&component(name)).await.unwrap()
}

#[tokio::test]
async fn the_sample_plugin_describes_itself_and_answers() {
    let echo = load(&host(), "echo").await;
    assert_eq!((echo.name(), echo.version()), ("echo", "0.1.0"));
    assert_eq!(echo.events(), ["message_received"]);
    for (text, answers) in [
        ("!ping", &["pong from a plugin"][..]),
        ("!echo  some text ", &["some text"]),
        ("!echo", &[]),
        ("hello", &[]),
        ("", &[]),
    ] {
        let plan = react(&echo, message(text)).await.unwrap();
        assert_eq!(texts(&plan), answers, "{text}");
        assert!(plan.state.is_empty());
    }
}

#[tokio::test]
async fn the_sample_plugin_counts_with_its_state() {
    let echo = load(&host(), "echo").await;
    let first = react(&echo, message("!count")).await.unwrap();
    assert_eq!(texts(&first), ["you have counted to 1"]);
    assert_eq!(first.state, [StateWrite { key: "count".into(), value: Some("1".into()) }]);
    let mut again = message("!count");
    again.state.insert("count".into(), "41".into());
    assert_eq!(texts(&react(&echo, again).await.unwrap()), ["you have counted to 42"]);
}

#[tokio::test]
async fn each_hostile_guest_ends_in_its_typed_fault() {
    let hostile = load(&host(), "hostile").await;
    for (behave, code) in [
        ("!loop", "guest_deadline"),
        ("!allocate", "guest_memory"),
        ("!recurse", "guest_trap"),
        ("!trap", "guest_trap"),
        ("!huge", "plan_too_large"),
        ("!huger", "plan_too_large"),
        ("!many", "plan_too_large"),
        ("!deep", "plan_too_deep"),
        ("!json", "plan_invalid"),
        ("!hoard", "guest_error"),
        ("!error", "guest_error"),
    ] {
        let started = Instant::now();
        let fault = react(&hostile, message(behave)).await.unwrap_err();
        assert_eq!(fault.code, code, "{behave}: {fault}");
        // The limit is 500 ms of computing and 2 s on the clock.
        assert!(started.elapsed() < Duration::from_secs(10), "{behave}: {:?}", started.elapsed());
    }
    let configured = with_config(message("hi"), json!({"behave": "!error"}));
    assert_eq!(react(&hostile, configured).await.unwrap_err().message, "as asked");
    // It chatters into a bounded log, and nothing of what came before is left.
    assert!(react(&hostile, message("!chatter")).await.is_ok());
    assert!(react(&hostile, message("hi")).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_answer_while_a_plugin_loops() {
    let host = host();
    let (hostile, echo) = (load(&host, "hostile").await, load(&host, "echo").await);
    let ping = FlowEngine::new(FlowLimits::default()).unwrap().compile("reply(\"pong\")").unwrap();
    let looping: Vec<_> = (0..4)
        .map(|_| {
            let hostile = hostile.clone();
            tokio::spawn(async move { react(&hostile, message("!loop")).await })
        })
        .collect();
    for _ in 0..10 {
        assert_eq!(texts(&react(&*ping, message("ping")).await.unwrap()), ["pong"]);
        assert_eq!(texts(&react(&echo, message("!ping")).await.unwrap()), ["pong from a plugin"]);
    }
    for run in looping {
        assert_eq!(run.await.unwrap().unwrap_err().code, "guest_deadline");
    }
}

#[tokio::test]
async fn instances_are_given_back_whatever_became_of_them() {
    let limits = PluginLimits { instances: 2, instances_per_plugin: 2, ..PluginLimits::default() };
    let hostile = load(&PluginHost::new(limits).unwrap(), "hostile").await;
    for _ in 0..20 {
        assert_eq!(react(&hostile, message("!trap")).await.unwrap_err().code, "guest_trap");
        assert!(react(&hostile, message("hi")).await.is_ok());
    }
}

#[tokio::test]
async fn what_is_not_a_plugin_is_refused() {
    let host = host();
    let module = b"\0asm\x01\0\0\0";
    for bytes in [&b"hello"[..], b"", module, b"\0asm\x0d\0"] {
        assert_eq!(prepare(bytes).unwrap_err().code, "plugin_not_a_component");
    }
    let empty = b"\0asm\x0d\0\x01\0";
    assert_eq!(host.load(&prepare(empty).unwrap()).await.unwrap_err().code, "plugin_invalid");
    assert_eq!(prepare(&vec![0; (16 << 20) + 1]).unwrap_err().code, "plugin_too_large");
    let mut broken = component("echo");
    let half = broken.len() / 2;
    broken.truncate(half);
    assert_eq!(host.load(&broken).await.unwrap_err().code, "plugin_invalid");
    assert_eq!(prepare(&component("echo")).unwrap(), component("echo"));
}

#[test]
fn a_host_may_be_dropped_inside_and_outside_of_a_runtime() {
    drop(host());
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async { drop(host()) });
}
