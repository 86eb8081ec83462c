//! Compiles the guest ahead of time: `precompile GUEST.wasm GUEST.cwasm`.

use std::path::PathBuf;
use std::{env, fs};

use timeloom_sandbox::config::runtime_config;
use wasmtime::Engine;

/// CPU features that every x86-64 server of the last fifteen years has; the image must run on all of them.
#[cfg(target_arch = "x86_64")]
const CPU_FEATURES: [&str; 6] = ["has_cmpxchg16b", "has_sse3", "has_ssse3", "has_sse41", "has_sse42", "has_popcnt"];
#[cfg(not(target_arch = "x86_64"))]
const CPU_FEATURES: [&str; 0] = [];

#[expect(unsafe_code, reason = "cranelift flags can change what compiled code means; these only name CPU instructions")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let paths: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [source, target] = paths.as_slice() else {
        return Err("usage: precompile GUEST.wasm GUEST.cwasm".into());
    };
    let mut config = runtime_config();
    // Naming the target turns off the detection of this machine's CPU.
    config.target(&format!("{}-unknown-{}", env::consts::ARCH, system()))?;
    for feature in CPU_FEATURES {
        // SAFETY: each flag names an instruction set; the engine checks that the CPU has it before it loads the image.
        unsafe { config.cranelift_flag_enable(feature) };
    }
    let engine = Engine::new(&config)?;
    let compiled = engine.precompile_component(&fs::read(source)?)?;
    fs::write(target, compiled)?;
    Ok(())
}

const fn system() -> &'static str {
    if cfg!(target_os = "macos") {
        "darwin"
    } else if cfg!(target_env = "musl") {
        "linux-musl"
    } else {
        "linux-gnu"
    }
}
