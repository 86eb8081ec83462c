//! What the benchmarks of all backends share: appends as servers make them, how they are driven, what is printed.
//!
//! Every figure is printed beside a baseline of the same run, taken in turns, so that a noisy machine is noisy for both.
//! Never in a release build.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark is run by hand, prints, and may stop at anything"
)]

mod append;
mod latency;
mod made;
mod replay;

pub use append::{Sink, append_ratios, sink_of};
pub use latency::latency;
pub use made::{Maker, PAYLOAD_BYTES, fill_with_executions};
pub use replay::{replay, replay_rate};

use std::time::Duration;

/// What is asked for on the command line: `name=value`.
pub fn argument(name: &str) -> Option<u64> {
    let of_name = |argument: String| argument.strip_prefix(name)?.strip_prefix('=')?.parse().ok();
    std::env::args().find_map(of_name)
}

/// The middle one.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// The time below which `per_cent` of `times` are, in milliseconds. `times` are sorted.
fn percentile_ms(times: &[Duration], per_cent: usize) -> f64 {
    times[(times.len() - 1) * per_cent / 100].as_secs_f64() * 1e3
}
