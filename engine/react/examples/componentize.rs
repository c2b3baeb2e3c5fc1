//! Turns a core module into a component: `componentize in.wasm out.wasm`.
//!
//! The same code takes plugins that are uploaded as core modules.

use anyhow::{Context, bail};

fn main() -> anyhow::Result<()> {
    let mut paths = std::env::args().skip(1);
    let (Some(input), Some(output), None) = (paths.next(), paths.next(), paths.next()) else {
        bail!("usage: componentize in.wasm out.wasm");
    };
    let module = std::fs::read(&input).with_context(|| format!("reading {input}"))?;
    let component = warest_react::wasm::prepare(&module)?;
    println!("{output}: {} bytes (module: {})", component.len(), module.len());
    std::fs::write(&output, component).with_context(|| format!("writing {output}"))
}
