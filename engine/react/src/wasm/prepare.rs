//! What a person uploads, as a component.

use std::panic::catch_unwind;
use warest_model::fault::Fault;
use warest_model::limits::PLUGIN_BYTES;
use wasmparser::{Encoding, Parser, Payload};
use wit_component::ComponentEncoder;

/// Takes a component as it is, and wraps a core module that was built against
/// the plugin world into one. Takes time in proportion to its size, so it is
/// for a blocking context.
///
/// # Errors
/// `plugin_too_large`; `plugin_not_a_component` for anything else than
/// WebAssembly and for a module that says nothing about its world.
pub fn prepare(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    if bytes.len() > PLUGIN_BYTES {
        return Err(Fault::fail("plugin_too_large", format!("a plugin may have at most {} MiB", PLUGIN_BYTES >> 20)));
    }
    let header = Parser::new(0).parse_all(bytes).next();
    match header {
        Some(Ok(Payload::Version { encoding: Encoding::Component, .. })) => Ok(bytes.to_vec()),
        Some(Ok(Payload::Version { encoding: Encoding::Module, .. })) => componentise(bytes),
        _ => Err(not_a_component("this is not WebAssembly")),
    }
}

fn componentise(module: &[u8]) -> Result<Vec<u8>, Fault> {
    let described = Parser::new(0).parse_all(module).map_while(Result::ok).any(
        |payload| matches!(payload, Payload::CustomSection(section) if section.name().starts_with("component-type")),
    );
    if !described {
        return Err(not_a_component("a core module that does not say what its world is"));
    }
    let encoded = catch_unwind(|| {
        ComponentEncoder::default().validate(true).module(module).and_then(|mut encoder| encoder.encode())
    });
    match encoded {
        Ok(Ok(component)) => Ok(component),
        Ok(Err(error)) => Err(not_a_component(&format!("{error:#}"))),
        Err(_) => Err(not_a_component("the module could not be read")),
    }
}

fn not_a_component(why: &str) -> Fault {
    Fault::fail(
        "plugin_not_a_component",
        format!(
            "{why}; build it with the SDK in `plugins/sdk` or any tool that makes components of `warest:plugin@0.1.0`"
        ),
    )
}
