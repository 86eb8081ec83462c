//! `timeloom projections rebuild`: the read models built again from the log.

use std::sync::Arc;

use clap::Subcommand;
use serde_json::json;
use timeloom_projections::ProjectionStatus;

use super::{Failure, output};
use crate::config::Config;
use crate::store::Store;

#[derive(Debug, Subcommand)]
pub enum ProjectionsVerb {
    /// Build read models again from the log of a data folder that no server uses
    Rebuild {
        /// Names of the projections to build: all, when none is named
        names: Vec<String>,
        /// Answer in JSON.
        #[arg(long)]
        json: bool,
    },
}

impl ProjectionsVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        let Self::Rebuild { names, json } = self;
        let store = Store::open(config).await?;
        output::notice("reading the log …");
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let report = timeloom_projections::rebuild(store.read_models.clone(), Arc::clone(&store.log), &names).await;
        store.close().await;
        let report = report?;
        if json {
            let parked = |status: &ProjectionStatus| json!({ "name": status.name, "parked": status.parked });
            let projections: Vec<_> = report.projections.iter().map(parked).collect();
            output::json(&json!({
                "events": report.events,
                "rows": report.rows,
                "position": report.position,
                "seconds": report.took.as_secs_f64(),
                "projections": projections,
            }));
            return Ok(());
        }
        output::line(&format!(
            "rebuilt from {} events, up to position {}: {} rows in {:.1} s",
            report.events,
            report.position,
            report.rows,
            report.took.as_secs_f64()
        ));
        for status in report.projections.iter().filter(|status| status.parked > 0) {
            let first = status.first_parked.as_ref().map_or("", |event| event.reason());
            output::line(&format!("{}: {} events are parked: {first}", status.name, status.parked));
        }
        Ok(())
    }
}
