//! Compiles the schemas with `protox`, so that no `protoc` is needed.

const SCHEMAS: [&str; 4] =
    ["warest/v1/event.proto", "warest/v1/plan.proto", "warest/v1/run.proto", "warest/v1/job.proto"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=warest");
    let descriptors = protox::compile(SCHEMAS, ["."])?;
    prost_build::Config::new().compile_fds(descriptors)?;
    Ok(())
}
