//! Sums over inferences that are not written down one by one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use timeloom_domain::ids::{InferenceId, ModelLoadId, Slug, TenantId};
use timeloom_domain::inference::{InferenceWindow, RejectedCounts, RejectionClass, hexadecimal};

/// A window is closed after so many milliseconds.
pub const WINDOW_MS: i64 = 60_000;
/// And after so many inferences.
const WINDOW_INFERENCES_MAX: u64 = 100_000;
/// Latencies of up to 2^n microseconds are told apart, for n below this.
const LATENCY_STEPS: usize = 40;
/// So many that a load turns away in one second are written down one by one, with what was asked; the others in sums. Else
/// turning somebody away would cost about what an answer does, just when there is no time for either.
const REJECTIONS_A_SECOND_MAX: u32 = 10;

/// The windows that are open.
#[derive(Default)]
pub(crate) struct Windows {
    open: Mutex<HashMap<(TenantId, ModelLoadId), Open>>,
    alone: Mutex<HashMap<(TenantId, ModelLoadId), Second>>,
}

/// How many were turned away and written down one by one in a second since 1970.
struct Second {
    second: i64,
    count: u32,
}

struct Open {
    window: InferenceWindow,
    chain: Sha256,
}

/// How something ended that is only counted.
pub(crate) enum Counted<'a> {
    Answered(&'a Summed<'a>),
    Cancelled,
    Rejected(RejectionClass),
}

impl Open {
    fn add(&mut self, counted: &Counted<'_>) {
        let window = &mut self.window;
        let summed = match counted {
            Counted::Answered(summed) => summed,
            Counted::Cancelled => return window.cancelled += 1,
            Counted::Rejected(class) => return window.rejected.add(*class),
        };
        window.completed += 1;
        window.compute_us += micros(summed.compute);
        window.queue_us += micros(summed.queue);
        let step = micros(summed.latency).max(1).next_power_of_two().trailing_zeros() as usize;
        if let Some(count) = window.latency_log2_us.get_mut(step.min(LATENCY_STEPS - 1)) {
            *count += 1;
        }
        self.chain.update(summed.fingerprint.as_bytes());
        self.chain.update(summed.outputs.as_bytes());
    }
}

/// What is summed of one answer.
pub(crate) struct Summed<'a> {
    pub queue: Duration,
    pub compute: Duration,
    pub latency: Duration,
    pub fingerprint: &'a str,
    pub outputs: &'a str,
}

/// Whether the inference is one of the sample: one in `one_in`, and always the same ones.
pub(crate) fn is_sampled(inference: InferenceId, one_in: u32) -> bool {
    let hash = Sha256::digest(inference.0.as_bytes());
    let number = hash.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
    number % u64::from(one_in.max(1)) == 0
}

impl Windows {
    fn open(&self) -> MutexGuard<'_, HashMap<(TenantId, ModelLoadId), Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody who is turned away now is written down alone: nobody is any more after the first of a second.
    pub fn is_written_alone(&self, of: (TenantId, ModelLoadId), now_ms: i64) -> bool {
        let second = now_ms.div_euclid(1_000);
        let mut alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        if !alone.contains_key(&of) {
            // Loads come and go: those that turned nobody away lately are forgotten.
            alone.retain(|_, of| of.second == second);
        }
        let of = alone.entry(of).or_insert(Second { second, count: 0 });
        if of.second != second {
            *of = Second { second, count: 0 };
        }
        of.count += 1;
        of.count <= REJECTIONS_A_SECOND_MAX
    }

    /// Adds what ended to its window; the window, when it is full or its time is up.
    pub fn add(
        &self,
        of: (TenantId, ModelLoadId),
        (model, version): (&Slug, u32),
        now_ms: i64,
        counted: &Counted<'_>,
    ) -> Option<InferenceWindow> {
        let mut open = self.open();
        let entry = open.entry(of).or_insert_with(|| Open {
            window: InferenceWindow {
                model: model.clone(),
                version,
                load: of.1,
                from_ms: now_ms,
                until_ms: now_ms,
                completed: 0,
                cancelled: 0,
                rejected: RejectedCounts::default(),
                compute_us: 0,
                queue_us: 0,
                latency_log2_us: vec![0; LATENCY_STEPS],
                chain: String::new(),
            },
            chain: Sha256::new(),
        });
        entry.add(counted);
        let window = &entry.window;
        let count = window.completed + window.cancelled + window.rejected.all();
        let is_over = count >= WINDOW_INFERENCES_MAX || now_ms - window.from_ms >= WINDOW_MS;
        if is_over { open.remove(&of).map(|open| closed(open, now_ms)) } else { None }
    }

    /// Closes the windows whose time is up; all of them with `all`.
    pub fn take(&self, now_ms: i64, all: bool) -> Vec<(TenantId, InferenceWindow)> {
        let mut open = self.open();
        let over: Vec<_> = open
            .iter()
            .filter(|(_, open)| all || now_ms - open.window.from_ms >= WINDOW_MS)
            .map(|(key, _)| *key)
            .collect();
        over.into_iter().filter_map(|key| open.remove(&key).map(|open| (key.0, closed(open, now_ms)))).collect()
    }
}

fn closed(open: Open, now_ms: i64) -> InferenceWindow {
    let mut window = InferenceWindow { until_ms: now_ms, chain: hexadecimal(&open.chain.finalize()), ..open.window };
    let used = window.latency_log2_us.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
    window.latency_log2_us.truncate(used);
    window
}

pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
