//! Write WAREST plugins in Rust.
//!
//! A plugin is a function from an [`Event`] to a [`Plan`]. It performs nothing
//! itself: the engine saves the plan together with what the plugin wrote to
//! [`kv`], and performs it step by step, each step once. Every event meets a
//! fresh instance, so statics do not live on; [`kv`] does, one per chat.
//!
//! ```no_run
//! use warest_plugin::{About, Event, Plan, Plugin};
//!
//! struct Ping;
//!
//! impl Plugin for Ping {
//!     fn about() -> About {
//!         About::new("ping", "1.0.0").on("message_received")
//!     }
//!
//!     fn on_event(event: Event) -> Result<Plan, String> {
//!         Ok(match event.text() {
//!             Some("ping") => Plan::new().reply("pong"),
//!             _ => Plan::new(),
//!         })
//!     }
//! }
//!
//! warest_plugin::export!(Ping);
//! # fn main() {}
//! ```
//!
//! Build it as a `cdylib` for `wasm32-unknown-unknown` and upload the module;
//! the engine makes a component of it.

mod event;
mod plan;

pub mod kv;

#[doc(hidden)]
#[allow(missing_docs, clippy::all)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "plugin",
        pub_export_macro: true,
        export_macro_name: "export_world",
        default_bindings_module: "warest_plugin::bindings",
    });
}

pub use event::Event;
pub use plan::{Key, Plan};
pub use serde_json;

/// Who a plugin is.
#[derive(Debug, Clone)]
pub struct About {
    name: String,
    version: String,
    events: Vec<String>,
}

impl About {
    /// A name matching `[a-z0-9][a-z0-9_-]{0,63}`, and a version.
    pub fn new(name: &str, version: &str) -> Self {
        Self { name: name.into(), version: version.into(), events: Vec::new() }
    }

    /// Wants events of this name too.
    pub fn on(mut self, event: &str) -> Self {
        self.events.push(event.into());
        self
    }
}

/// What a plugin is.
pub trait Plugin {
    /// Who it is, and which events it wants.
    fn about() -> About;

    /// Decides what should be done about an event. An error fails the run and is
    /// shown with it; nothing is performed or written then.
    fn on_event(event: Event) -> Result<Plan, String>;
}

/// How much a log line matters.
pub use bindings::warest::plugin::types::Level;

/// Writes a line to the operator's log; long lines and many lines are cut.
pub fn log(level: Level, message: &str) {
    bindings::log(level, message);
}

/// The moment of the decision, in milliseconds since 1970.
pub fn now_ms() -> u64 {
    bindings::now()
}

/// Makes a [`Plugin`] the plugin of its crate.
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        #[doc(hidden)]
        struct WarestGuest;
        impl $crate::bindings::Guest for WarestGuest {
            fn describe() -> $crate::bindings::Description {
                $crate::describe::<$plugin>()
            }
            fn on_event(event: $crate::bindings::EventInput) -> Result<$crate::bindings::Plan, String> {
                $crate::on_event::<$plugin>(event)
            }
        }
        $crate::bindings::export_world!(WarestGuest with_types_in $crate::bindings);
    };
}

#[doc(hidden)]
pub fn describe<P: Plugin>() -> bindings::Description {
    let About { name, version, events } = P::about();
    bindings::Description { name, version, events }
}

#[doc(hidden)]
pub fn on_event<P: Plugin>(input: bindings::EventInput) -> Result<bindings::Plan, String> {
    P::on_event(Event::read(input)?).map(Plan::flatten)
}
