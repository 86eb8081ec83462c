//! The time for requests that are signed: that of the run, and that of the service where it says that the two differ.

use std::time::Instant;

use chrono::{DateTime, Duration, Utc};
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap};

/// How far clocks may differ before a request is signed again by the clock of the service, which takes 5 minutes and more.
const SKEW_MAX: Duration = Duration::minutes(4);

/// The clock of a run.
#[derive(Clone)]
pub(super) struct RunClock {
    /// The time at which the run began.
    began: DateTime<Utc>,
    /// When that was, as this process counts.
    since: Instant,
}

impl RunClock {
    /// The clock of a run that began at this time, in milliseconds.
    pub fn new(began_ms: i64) -> Self {
        Self { began: DateTime::from_timestamp_millis(began_ms).unwrap_or_default(), since: Instant::now() }
    }

    /// The time by this side's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.began + Duration::from_std(self.since.elapsed()).unwrap_or_default()
    }

    /// The time of the service, where it refused a signature whose time was too far from that: a run that goes on after a
    /// crash has the time at which it first began.
    pub fn their_time(&self, status: StatusCode, headers: &HeaderMap) -> Option<DateTime<Utc>> {
        let refused = matches!(status, StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST);
        let told = headers.get(DATE).filter(|_| refused)?.to_str().ok()?;
        let theirs = DateTime::parse_from_rfc2822(told).ok()?.to_utc();
        ((theirs - self.now()).abs() > SKEW_MAX).then_some(theirs)
    }
}
