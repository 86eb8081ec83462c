//! The suite once more, where appends are answered before the disk has them.

use timeloom_store::conformance::Fresh;
use timeloom_store::{DurabilityChoice, event_log_conformance};
use timeloom_store_sqlite::SqliteOptions;

use crate::{fresh_with, options};

async fn fresh() -> Fresh {
    let durability = DurabilityChoice::Relaxed { flush_ms: 4 };
    std::future::ready(fresh_with(move || SqliteOptions { durability, ..options() })).await
}

event_log_conformance!(fresh);
