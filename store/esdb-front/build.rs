//! Writes the messages and services of the protocol out of the definitions in `third_party/eventstore`. Needs no compiler
//! of these installed.

use std::path::Path;

const FILES: [&str; 6] =
    ["gossip.proto", "persistent.proto", "serverfeatures.proto", "shared.proto", "status.proto", "streams.proto"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new("../../third_party/eventstore");
    println!("cargo::rerun-if-changed={}", folder.display());
    let definitions = protox::compile(FILES, [folder])?;
    tonic_prost_build::configure()
        .build_client(false)
        .build_transport(false)
        .extern_path(".event_store.client.Empty", "()")
        .bytes(".")
        .compile_fds(definitions)?;
    Ok(())
}
