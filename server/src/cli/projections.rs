//! `timeloom projections rebuild`: the read models built again from the log.

use std::sync::Arc;

use clap::Subcommand;
use serde_json::json;
use timeloom_commands::{Ids as _, SystemIds};
use timeloom_store::clock::SystemClock;
use timeloom_store_sqlite::{SqliteLog, SqliteOptions};

use super::{Failure, output};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub enum ProjectionsVerb {
    /// Build all read models again from the log of a data folder that no server uses
    Rebuild {
        /// Answer in JSON.
        #[arg(long)]
        json: bool,
    },
}

impl ProjectionsVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        let Self::Rebuild { json } = self;
        let options = SqliteOptions::new(SystemIds.uuid(), Arc::new(SystemClock));
        let (log, _blobs) = SqliteLog::open(&config.data, options)?;
        output::notice("reading the log …");
        let shared = Arc::clone(&log) as Arc<dyn timeloom_store::EventLog>;
        let report = timeloom_projections::rebuild(&config.data, shared).await;
        log.close().await;
        let report = report?;
        if json {
            output::json(&json!({ "events": report.events, "position": report.position }));
        } else {
            output::line(&format!("rebuilt from {} events, up to position {}", report.events, report.position));
        }
        Ok(())
    }
}
