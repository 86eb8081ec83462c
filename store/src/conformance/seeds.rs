//! Which seeds a seeded test runs, and how a failing one is told.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::clock::{Clock, SystemClock};

/// The environment variable that runs one seed again.
pub const SEED_VARIABLE: &str = "TIMELOOM_SEED";

/// The seeds to run: the one that the environment names, else `fixed` ones that are always the same and one that never was.
pub fn seeds(fixed: u64) -> Vec<u64> {
    if let Some(seed) = seed_to_run_again() {
        return vec![seed];
    }
    let now = SystemTime::from(SystemClock.now());
    let new = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    (1..=fixed).chain([u64::try_from(new).unwrap_or(u64::MAX)]).collect()
}

#[expect(clippy::disallowed_methods, reason = "the one place where tests are told to run a seed again")]
fn seed_to_run_again() -> Option<u64> {
    let text = std::env::var(SEED_VARIABLE).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{SEED_VARIABLE} is '{text}': it has to be a whole number")))
}

/// Says which seed failed, when the test that holds this fails.
#[derive(Debug)]
pub struct TellSeed(pub u64);

impl Drop for TellSeed {
    #[expect(clippy::print_stderr, reason = "a failing test prints how it is run again")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {0} failed: run it again with {SEED_VARIABLE}={0}", self.0);
        }
    }
}
