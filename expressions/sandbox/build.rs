//! Points the library at the compiled guest, and says what to run where there is none.

use std::path::PathBuf;
use std::{env, fs};

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script everything through its environment")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let guest = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("guest/dist/guest.cwasm");
    println!("cargo:rerun-if-changed={}", guest.display());
    println!("cargo:rerun-if-changed=build.rs");
    let embedded = if guest.exists() {
        guest
    } else if env::var_os("CARGO_FEATURE_COMPILE").is_some() {
        // The program that writes the guest is being built, so there is none yet.
        let empty = PathBuf::from(env::var("OUT_DIR")?).join("guest.cwasm");
        fs::write(&empty, b"")?;
        empty
    } else {
        return Err("the JavaScript sandbox is not built: run `make setup`".into());
    };
    println!("cargo:rustc-env=TIMELOOM_GUEST={}", embedded.display());
    Ok(())
}
