//! How WebAssembly is compiled and run. The compiler and the server must agree, so both ask here.

use wasmtime::Config;

/// Stack that a script may use, in bytes; QuickJS has its own smaller limit and reports it more kindly.
const STACK_BYTES_MAX: usize = 1 << 20;

/// The settings of the server, and the base of the compiler's.
pub fn runtime_config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES_MAX)
        .memory_init_cow(true)
        .memory_reservation(4 << 30)
        .memory_guard_size(32 << 20)
        // Traps are told apart by their code; addresses of the guest would help nobody and weigh megabytes.
        .generate_address_map(false)
        .native_unwind_info(false);
    config
}
