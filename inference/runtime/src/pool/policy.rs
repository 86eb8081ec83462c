//! How a pool queues, gathers and grows: every bound of it, by name.

use std::time::Duration;

/// Most rows that a batch may be allowed to have.
pub const BATCH_ROWS_MAX: usize = 4096;
/// Most instances that a pool may be allowed to have.
pub const INSTANCES_MAX: usize = 64;
/// Most requests that may be allowed to wait for one model.
pub const QUEUE_REQUESTS_MAX: usize = 1 << 16;
/// Most bytes of inputs that may be allowed to wait for one model.
pub const QUEUE_BYTES_MAX: usize = 4 << 30;
/// Longest wait for others that may be chosen.
pub const QUEUE_DELAY_MAX: Duration = Duration::from_secs(1);

/// How a pool queues, gathers and grows. The gathering means what it means in Triton: with no delay, whoever is free
/// takes what waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Most rows of a batch. An ask with more is refused.
    pub batch_rows_max: usize,
    /// Sizes in rows that are worth stopping at: a batch that reaches one goes at once, and the largest that is reached is
    /// taken. None is the same as the most rows alone.
    pub batch_rows_preferred: Vec<usize>,
    /// How long the first of a batch may wait for others while an instance is free.
    pub queue_delay_max: Duration,
    /// Most requests that wait.
    pub queue_requests_max: usize,
    /// Most bytes of inputs that wait.
    pub queue_bytes_max: usize,
    /// Longest wait of any request, and its wait where it says nothing.
    pub wait_max: Duration,
    /// Instances that there always are.
    pub instances_min: usize,
    /// Instances that there may be.
    pub instances_max: usize,
    /// Threads that compute inside one instance.
    pub intra_threads: usize,
    /// An instance is added when the oldest has waited this long …
    pub grow_delay: Duration,
    /// … whenever it was looked at during this time.
    pub grow_after: Duration,
    /// An instance above the least number ends when it had nothing to do for this long. Much longer than
    /// [`Self::grow_after`], so that the number does not swing.
    pub idle_after: Duration,
    /// Longest time for making and warming up the first instances.
    pub load_time_max: Duration,
    /// How long a batch size that memory did not allow is left alone.
    pub recover_after: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            batch_rows_max: 32,
            batch_rows_preferred: Vec::new(),
            queue_delay_max: Duration::ZERO,
            queue_requests_max: 1024,
            queue_bytes_max: 64 << 20,
            wait_max: Duration::from_secs(30),
            instances_min: 1,
            instances_max: 1,
            intra_threads: 1,
            grow_delay: Duration::from_millis(20),
            grow_after: Duration::from_millis(500),
            idle_after: Duration::from_secs(60),
            load_time_max: Duration::from_secs(120),
            recover_after: Duration::from_secs(30),
        }
    }
}

/// A policy says what cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {wanted}")]
pub struct InvalidPolicy {
    /// The field.
    pub what: &'static str,
    /// What it may be.
    pub wanted: String,
}

impl Policy {
    /// Checks it.
    ///
    /// # Errors
    /// Tells the first field that is out of its bounds.
    pub fn check(&self) -> Result<(), InvalidPolicy> {
        number("batch_rows_max", self.batch_rows_max, 1, BATCH_ROWS_MAX)?;
        for preferred in &self.batch_rows_preferred {
            number("batch_rows_preferred", *preferred, 1, self.batch_rows_max)?;
        }
        number("queue_requests_max", self.queue_requests_max, 1, QUEUE_REQUESTS_MAX)?;
        number("queue_bytes_max", self.queue_bytes_max, 1, QUEUE_BYTES_MAX)?;
        number("instances_max", self.instances_max, 1, INSTANCES_MAX)?;
        number("instances_min", self.instances_min, 1, self.instances_max)?;
        number("intra_threads", self.intra_threads, 1, INSTANCES_MAX)?;
        if self.queue_delay_max > QUEUE_DELAY_MAX {
            let wanted = format!("{} ms at most", QUEUE_DELAY_MAX.as_millis());
            return Err(InvalidPolicy { what: "queue_delay_max", wanted });
        }
        let times =
            [("wait_max", self.wait_max), ("grow_after", self.grow_after), ("load_time_max", self.load_time_max)];
        let times = times.into_iter().chain([("recover_after", self.recover_after), ("idle_after", self.idle_after)]);
        match times.into_iter().find(|(_, time)| time.is_zero() || *time > Duration::from_secs(86_400)) {
            Some((what, _)) => Err(InvalidPolicy { what, wanted: "more than nothing, and a day at most".to_owned() }),
            None => Ok(()),
        }
    }
}

fn number(what: &'static str, value: usize, least: usize, most: usize) -> Result<(), InvalidPolicy> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(InvalidPolicy { what, wanted: format!("from {least} to {most}, not {value}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_sound_and_what_cannot_be_is_named() {
        assert_eq!(Policy::default().check(), Ok(()));
        let wrong = |change: fn(&mut Policy)| {
            let mut policy = Policy::default();
            change(&mut policy);
            policy.check().unwrap_err().what
        };
        assert_eq!(wrong(|policy| policy.batch_rows_max = 0), "batch_rows_max");
        assert_eq!(wrong(|policy| policy.batch_rows_preferred = vec![33]), "batch_rows_preferred");
        assert_eq!(wrong(|policy| policy.instances_min = 2), "instances_min");
        assert_eq!(wrong(|policy| policy.queue_delay_max = Duration::from_secs(2)), "queue_delay_max");
        assert_eq!(wrong(|policy| policy.wait_max = Duration::ZERO), "wait_max");
    }
}
