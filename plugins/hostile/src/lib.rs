//! A test guest that does whatever a plugin must not. The message's text, or
//! `behave` of its configuration, says what.

use std::hint::black_box;
use warest_plugin::serde_json::json;
use warest_plugin::{About, Event, Level, Plan, Plugin, kv, log};

struct Hostile;

impl Plugin for Hostile {
    fn about() -> About {
        About::new("hostile", "0.1.0").on("message_received")
    }

    fn on_event(event: Event) -> Result<Plan, String> {
        let text = event.text().unwrap_or_default();
        match event.config["behave"].as_str().unwrap_or(text) {
            "!loop" => spin(),
            "!allocate" => allocate(),
            "!recurse" => Ok(Plan::new().reply(recurse(0).to_string())),
            "!trap" => {
                kv::set("written", "before the trap")?;
                trap()
            }
            "!huge" => Ok(Plan::new().reply("x".repeat(10 << 20))),
            "!many" => Ok((0..100_000).fold(Plan::new(), |plan, _| plan.noop())),
            "!huger" => Ok((0..30).fold(Plan::new(), |plan, _| plan.reply("x".repeat(1 << 20)))),
            "!deep" => Ok((0..500).fold(Plan::new().noop(), |plan, _| Plan::new().parallel(plan))),
            "!json" => Ok(Plan::new().action(&json!([1]))),
            "!chatter" => {
                for _ in 0..1_000 {
                    log(Level::Info, &"x".repeat(10_000));
                }
                Ok(Plan::new())
            }
            "!hoard" => {
                for index in 0..1_000 {
                    kv::set(&index.to_string(), &"x".repeat(1_000))?;
                }
                Ok(Plan::new())
            }
            "!error" => Err("as asked".into()),
            _ => Ok(Plan::new()),
        }
    }
}

fn spin() -> ! {
    let mut round = 0_u64;
    loop {
        round = black_box(round.wrapping_add(1));
    }
}

fn allocate() -> ! {
    let mut held = Vec::new();
    loop {
        held.push(black_box(vec![1_u8; 1 << 20]));
    }
}

#[allow(unconditional_recursion)]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    black_box(recurse(black_box(depth) + 1)) + frame[3]
}

#[cfg(target_arch = "wasm32")]
fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

#[cfg(not(target_arch = "wasm32"))]
fn trap() -> ! {
    std::process::abort()
}

warest_plugin::export!(Hostile);
