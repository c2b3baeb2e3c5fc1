//! The functions of the flow language: constructors, combinators, state, clock.
//!
//! Each builds the JSON form of the wire contract and leaves its meaning to
//! [`warest_model::action`], so that an action means the same in a flow, a
//! plugin and a webhook answer.

use super::fault::{Stop, wrong};
use super::run::Run;
use rhai::{Array, Dynamic, INT, Map, Module, NativeCallContext};

type Made = Result<Dynamic, Stop>;
type Call<'a> = NativeCallContext<'a>;

/// All of them, to be shared by every run.
pub(super) fn module() -> Module {
    let mut module = Module::new();
    sends(&mut module);
    controls(&mut module);
    flow(&mut module);
    state(&mut module);
    // Rhai's own would block a thread.
    module.set_native_fn("sleep", |_: INT| -> Made { Err(no_sleep()) });
    module.set_native_fn("sleep", |_: f64| -> Made { Err(no_sleep()) });
    module
}

fn sends(module: &mut Module) {
    module.set_native_fn("reply", |call: Call<'_>, text: Dynamic| -> Made {
        say(&call, "type", "text", [("text", words(text))])
    });
    module.set_native_fn("text", |call: Call<'_>, fields: Map| -> Made {
        let mut fields = fields;
        fields.insert("type".into(), "text".into());
        Run::with(&call, |run| run.plan.say(fields))
    });
    module.set_native_fn("text", |call: Call<'_>, to: Dynamic, text: Dynamic| -> Made {
        say(&call, "type", "text", [("to", to), ("text", words(text))])
    });
    for name in ["media", "document", "sticker", "location", "vcard", "button", "list", "poll", "forward", "raw"] {
        module.set_native_fn(name, move |call: Call<'_>, fields: Map| -> Made {
            let mut fields = fields;
            fields.insert("type".into(), name.into());
            Run::with(&call, |run| run.plan.say(fields))
        });
    }
    for kind in ["image", "video", "gif", "audio", "voice"] {
        let media = move |call: &Call<'_>, url: Dynamic, caption: Dynamic| {
            say(call, "type", "media", [("mediaType", kind.into()), ("url", url), ("caption", caption)])
        };
        module.set_native_fn(kind, move |call: Call<'_>, url: Dynamic| -> Made { media(&call, url, Dynamic::UNIT) });
        module.set_native_fn(kind, move |call: Call<'_>, url: Dynamic, caption: Dynamic| -> Made {
            media(&call, url, words(caption))
        });
    }
    module.set_native_fn("noop", |call: Call<'_>| -> Made { say(&call, "type", "noop", []) });
    module.set_native_fn("action", |call: Call<'_>, fields: Map| -> Made {
        Run::with(&call, |run| {
            let fields = run.plan.take(fields.into())?;
            run.plan.say(fields)
        })
    });
}

fn controls(module: &mut Module) {
    module.set_native_fn("react", |call: Call<'_>, emoji: Dynamic| -> Made {
        let key = Run::with(&call, |run| run.key())?;
        say(&call, "act", "react", [("key", key), ("emoji", words(emoji))])
    });
    module.set_native_fn("react", |call: Call<'_>, key: Map, emoji: Dynamic| -> Made {
        say(&call, "act", "react", [("key", key.into()), ("emoji", words(emoji))])
    });
    module.set_native_fn("read", |call: Call<'_>| -> Made {
        let key = Run::with(&call, |run| run.key())?;
        say(&call, "act", "read", [("key", key)])
    });
    module
        .set_native_fn("read", |call: Call<'_>, keys: Dynamic| -> Made { say(&call, "act", "read", [("keys", keys)]) });
    module.set_native_fn("typing", |call: Call<'_>, ms: INT| -> Made {
        say(&call, "act", "typing", [("ms", ms.into())])
    });
    module.set_native_fn("typing", |call: Call<'_>, to: Dynamic, ms: INT| -> Made {
        say(&call, "act", "typing", [("to", to), ("ms", ms.into())])
    });
    module.set_native_fn("presence", |call: Call<'_>, state: Dynamic| -> Made {
        say(&call, "act", "presence", [("state", state)])
    });
    module.set_native_fn("presence", |call: Call<'_>, state: Dynamic, to: Dynamic| -> Made {
        say(&call, "act", "presence", [("state", state), ("to", to)])
    });
    for name in ["star", "unstar", "delete", "revoke", "pin", "unpin"] {
        module.set_native_fn(name, move |call: Call<'_>| -> Made {
            let key = Run::with(&call, |run| run.key())?;
            say(&call, "act", name, [("key", key)])
        });
        module.set_native_fn(name, move |call: Call<'_>, key: Map| -> Made {
            say(&call, "act", name, [("key", key.into())])
        });
    }
    module.set_native_fn("edit", |call: Call<'_>, key: Map, text: Dynamic| -> Made {
        say(&call, "act", "edit", [("key", key.into()), ("text", words(text))])
    });
    for name in ["archive", "unarchive", "mute", "unmute"] {
        module.set_native_fn(name, move |call: Call<'_>| -> Made { say(&call, "act", name, []) });
        module.set_native_fn(name, move |call: Call<'_>, chat: Dynamic| -> Made {
            say(&call, "act", name, [("chat", chat)])
        });
    }
    module
        .set_native_fn("delay", |call: Call<'_>, ms: INT| -> Made { say(&call, "act", "delay", [("ms", ms.into())]) });
}

fn flow(module: &mut Module) {
    module.set_native_fn("queue", |call: Call<'_>, items: Dynamic| -> Made {
        let items = list(&call, items)?;
        say(&call, "act", "queue", [("items", items)])
    });
    module.set_native_fn("queue", |call: Call<'_>, delay_ms: INT, items: Dynamic| -> Made {
        let items = list(&call, items)?;
        say(&call, "act", "queue", [("delayMs", delay_ms.into()), ("items", items)])
    });
    module.set_native_fn("parallel", |call: Call<'_>, items: Dynamic| -> Made {
        let items = list(&call, items)?;
        say(&call, "act", "parallel", [("items", items)])
    });
    module.set_native_fn("when", |call: Call<'_>, cond: Dynamic, then: Dynamic| -> Made {
        when(&call, cond, then, Dynamic::UNIT)
    });
    module.set_native_fn("when", |call: Call<'_>, cond: Dynamic, then: Dynamic, otherwise: Dynamic| -> Made {
        when(&call, cond, then, otherwise)
    });
    module.set_native_fn("retry", |call: Call<'_>, options: Map, item: Dynamic| -> Made {
        retry(&call, options, item, Dynamic::UNIT)
    });
    module.set_native_fn("retry", |call: Call<'_>, options: Map, item: Dynamic, on_fail: Dynamic| -> Made {
        retry(&call, options, item, on_fail)
    });
}

fn state(module: &mut Module) {
    module.set_native_fn("get", |call: Call<'_>, key: &str| -> Made { Run::with(&call, |run| Ok(run.get(key))) });
    module.set_native_fn("set", |call: Call<'_>, key: &str, value: Dynamic| -> Result<(), Stop> {
        Run::with(&call, |run| run.set(key, Some(&value)))
    });
    module.set_native_fn("remove", |call: Call<'_>, key: &str| -> Result<(), Stop> {
        Run::with(&call, |run| run.set(key, None))
    });
    module.set_native_fn("now", |call: Call<'_>| -> Result<INT, Stop> { Run::with(&call, |run| Ok(run.now_ms)) });
}

fn when(call: &Call<'_>, cond: Dynamic, then: Dynamic, otherwise: Dynamic) -> Made {
    let then = list(call, then)?;
    let otherwise = list(call, otherwise)?;
    say(call, "act", "when", [("cond", cond), ("then", then), ("else", otherwise)])
}

fn retry(call: &Call<'_>, options: Map, item: Dynamic, on_fail: Dynamic) -> Made {
    let several = item.is_array();
    let mut items = list(call, item)?.into_array().unwrap_or_default();
    let item = match items.pop() {
        Some(only) if items.is_empty() && !several => only,
        Some(last) => {
            items.push(last);
            queue_of(items)
        }
        None => return Err(wrong("`retry` needs an action or a list of actions to repeat")),
    };
    let mut fields = Map::new();
    for (name, value) in options {
        let name = match name.as_str() {
            "attempts" | "times" => "attempts",
            "delay_ms" | "delayMs" | "backoff_ms" | "backoffMs" => "delayMs",
            other => {
                return Err(wrong(format!("`retry` knows the options `attempts` and `delay_ms`, not `{other}`")));
            }
        };
        fields.insert(name.into(), value);
    }
    fields.insert("act".into(), "retry".into());
    fields.insert("item".into(), item);
    fields.insert("onFail".into(), list(call, on_fail)?);
    Run::with(call, |run| run.plan.say(fields))
}

fn queue_of(items: Array) -> Dynamic {
    Map::from([("act".into(), "queue".into()), ("items".into(), items.into())]).into()
}

fn list(call: &Call<'_>, value: Dynamic) -> Made {
    Run::with(call, |run| Ok(run.plan.take_list(value)?.into()))
}

fn say<const N: usize>(call: &Call<'_>, field: &str, name: &str, fields: [(&str, Dynamic); N]) -> Made {
    let mut action = Map::new();
    action.insert(field.into(), name.into());
    for (name, value) in fields {
        if !value.is_unit() {
            action.insert(name.into(), value);
        }
    }
    Run::with(call, |run| run.plan.say(action))
}

/// What a message says: numbers and such are written out.
fn words(value: Dynamic) -> Dynamic {
    if value.is_string() || value.is_unit() { value } else { value.to_string().into() }
}

fn no_sleep() -> Stop {
    wrong("a flow cannot sleep; `delay(ms)` waits within the plan")
}
