//! The tests that every backend must pass. A backend's own tests instantiate them with
//! [`event_log_conformance!`](crate::event_log_conformance). Never in a release build.
#![expect(clippy::unwrap_used, clippy::panic, reason = "this is a test suite: a failed check panics")]

mod appends;
mod blobs;
mod chance;
mod crash;
mod faults;
mod faulty;
mod fixtures;
mod large;
mod model;
mod reads;
mod seeds;
mod simulation;
mod snapshots;
mod subscriptions;
mod together;
mod twin;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;

pub use appends::*;
pub use blobs::*;
pub use chance::Chance;
pub use crash::{acknowledged_events_survive_kills, append_until_killed};
pub use faults::*;
pub use faulty::{Cut, Fault, FaultRates, FaultyLog, InjectedFault};
pub use large::*;
pub use model::random_operations_match_a_model;
pub use reads::*;
pub use seeds::{SEED_VARIABLE, TellSeed, seeds};
pub use snapshots::*;
pub use subscriptions::*;
pub use together::*;

use crate::blobs::BlobStore;
use crate::log::EventLog;

/// Opens again what a log stored. By then every handle to the log and its blobs was dropped.
pub type Reopen = Arc<dyn Fn() -> BoxFuture<'static, (Arc<dyn EventLog>, Arc<dyn BlobStore>)> + Send + Sync>;

/// A log and blobs that nobody used before.
pub struct Fresh {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// The blobs.
    pub blobs: Arc<dyn BlobStore>,
    /// How it is opened again; `None` where nothing outlives the log.
    pub reopen: Option<Reopen>,
    /// Whether every append is as safe as any, whatever it asks for: then none may be answered as less.
    pub always_strict: bool,
    /// What must live as long as they do, for example a temporary folder.
    pub keep: Box<dyn Any + Send>,
}

impl fmt::Debug for Fresh {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Fresh").field("head", &self.log.head()).finish_non_exhaustive()
    }
}

impl Fresh {
    /// A log that ends with its handles.
    pub fn new(log: Arc<dyn EventLog>, blobs: Arc<dyn BlobStore>) -> Self {
        Self { log, blobs, reopen: None, always_strict: false, keep: Box::new(()) }
    }

    /// The same, with `keep` living as long.
    #[must_use]
    pub fn keeping(self, keep: impl Any + Send) -> Self {
        Self { keep: Box::new(keep), ..self }
    }

    /// The same, whose appends are all as safe as any.
    #[must_use]
    pub fn always_strict(self) -> Self {
        Self { always_strict: true, ..self }
    }

    /// The same, which `reopen` opens again.
    #[must_use]
    pub fn reopened_by<F, Opening>(self, reopen: F) -> Self
    where
        F: Fn() -> Opening + Send + Sync + 'static,
        Opening: Future<Output = (Arc<dyn EventLog>, Arc<dyn BlobStore>)> + Send + 'static,
    {
        Self { reopen: Some(Arc::new(move || Box::pin(reopen()))), ..self }
    }
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
            named_events_are_looked_up_at_once,
            tenants_are_apart,
            a_time_finds_its_position,
            waiting_ends_when_the_position_is_there,
            blobs_come_back_and_are_missed,
            blobs_are_written_in_pieces_and_read_in_parts,
            a_blob_that_many_write_is_whole,
            an_unfinished_blob_leaves_nothing,
            a_blob_over_the_bound_is_refused_on_its_way,
            positions_are_gapless_and_seen_in_order,
            history_runs_into_live_without_gap_or_double,
            a_subscription_at_the_head_is_live_at_once,
            a_stream_subscription_brings_its_stream_only,
            a_filter_that_skips_gives_checkpoints,
            a_slow_subscriber_is_told_and_can_resume,
            a_queue_is_bounded_by_bytes_too,
            unknown_types_and_versions_come_back,
            strict_categories_are_never_relaxed,
            an_append_survives_what_it_asks_for,
            appends_that_ask_for_different_things_share_the_log,
            filters_and_checkpoints_lose_nothing_while_many_write,
            a_lost_answer_is_found_by_sending_the_command_again,
            many_writers_get_every_command_through_once,
        }
        $crate::event_log_conformance! { @many $fresh:
            random_operations_match_a_model,
            seeded_faults_leave_every_command_once,
        }
    };
    (@many $fresh:path: $($test:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                $crate::conformance::$test(|| $fresh()).await;
            }
        )*
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
