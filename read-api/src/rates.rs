//! How much somebody may ask for: requests, and points of what they cost.
//!
//! Everything that an account has shares one measure, so that more keys are not more of it. Each process measures by itself.

use std::time::{Duration, Instant};

use timeloom_domain::access::Principal;

use crate::limits::{Left, Limiter};
use crate::sign_in::RateLimits;

/// The measures of everybody.
#[derive(Debug)]
pub(crate) struct Rates {
    limits: RateLimits,
    requests: Limiter<String>,
    points: Limiter<String>,
}

impl Rates {
    /// Measures with these limits.
    pub(crate) fn new(limits: RateLimits) -> Self {
        let (requests, points) = (limits.requests_per_minute, limits.points_per_minute);
        Self { limits, requests: Limiter::per_minute(requests), points: Limiter::per_minute(points) }
    }

    /// Most requests at once.
    pub(crate) fn requests_max(&self) -> u32 {
        self.limits.requests_per_minute
    }

    /// A request of somebody's; nothing is told of what is left where there is no limit.
    ///
    /// # Errors
    /// How long to wait, when there were too many.
    pub(crate) fn request(&self, whose: &Principal) -> Result<Option<Left>, Duration> {
        match self.limits.requests_per_minute {
            0 => Ok(None),
            _ => self.requests.take(name(whose), 1, Instant::now()).map(Some),
        }
    }

    /// What a request of somebody's costs.
    ///
    /// # Errors
    /// How long to wait, when there was too much.
    pub(crate) fn points(&self, whose: &Principal, points: usize) -> Result<(), Duration> {
        match self.limits.points_per_minute {
            0 => Ok(()),
            _ => {
                let points = u32::try_from(points).unwrap_or(u32::MAX);
                self.points.take(name(whose), points, Instant::now()).map(|_| ())
            }
        }
    }
}

fn name(whose: &Principal) -> String {
    format!("{} {}", whose.tenant.0, whose.actor)
}
