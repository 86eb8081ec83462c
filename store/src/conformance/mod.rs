//! The tests that every backend must pass. A backend's own tests instantiate them with
//! [`event_log_conformance!`](crate::event_log_conformance). Never in a release build.
#![expect(clippy::unwrap_used, clippy::panic, reason = "this is a test suite: a failed check panics")]

mod appends;
mod fixtures;
mod large;
mod model;
mod reads;
mod snapshots;
mod subscriptions;
mod together;

use std::any::Any;
use std::sync::Arc;

pub use appends::*;
pub use large::*;
pub use model::random_operations_match_a_model;
pub use reads::*;
pub use snapshots::*;
pub use subscriptions::*;
pub use together::*;

use crate::blobs::BlobStore;
use crate::log::EventLog;

/// A log and blobs that nobody used before.
pub struct Fresh {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// The blobs.
    pub blobs: Arc<dyn BlobStore>,
    /// What must live as long as they do, for example a temporary folder.
    pub keep: Box<dyn Any + Send>,
}

/// Makes the tests of the suite. The argument is the path of an `async fn() -> Fresh`.
#[macro_export]
macro_rules! event_log_conformance {
    ($fresh:path) => {
        $crate::event_log_conformance! { @tests $fresh:
            expected_revisions_are_checked,
            one_of_many_racing_appends_wins,
            a_repeated_command_gives_the_first_answer,
            ids_with_other_content_are_refused,
            a_refused_append_does_not_fail_its_neighbours,
            too_large_appends_are_refused,
            an_append_without_events_only_checks,
            payloads_come_back_byte_for_byte,
            large_payloads_come_back_byte_for_byte,
            subscriptions_bring_large_payloads,
            a_repeated_command_gives_large_payloads_again,
            payloads_that_look_like_references_come_back,
            too_many_large_payloads_are_refused,
            everything_around_a_payload_comes_back,
            times_strictly_increase,
            streams_are_read_both_ways_within_limits,
            the_log_is_read_both_ways_within_limits,
            reads_are_filtered,
            tenants_are_apart,
            a_time_finds_its_position,
            waiting_ends_when_the_position_is_there,
            blobs_come_back_and_are_missed,
            positions_are_gapless_and_seen_in_order,
            history_runs_into_live_without_gap_or_double,
            a_subscription_at_the_head_is_live_at_once,
            a_stream_subscription_brings_its_stream_only,
            a_filter_that_skips_gives_checkpoints,
            a_slow_subscriber_is_told_and_can_resume,
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn random_operations_match_a_model() {
            $crate::conformance::random_operations_match_a_model(|| $fresh()).await;
        }
    };
    (@tests $fresh:path: $($test:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                $crate::conformance::$test($fresh().await).await;
            }
        )*
    };
}
