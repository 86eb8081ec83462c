//! `timeloom-verify`: checks an export of a log by the keys and checkpoints of whoever checks.

use std::process::ExitCode;

use clap::Parser as _;
use timeloom_verify::cli::{Arguments, main as verify};

fn main() -> ExitCode {
    verify(&Arguments::parse())
}
