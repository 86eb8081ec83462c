//! The node types against real servers, and against servers that mean no good.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what tests are helped by may stop at anything, as tests do")]

#[cfg(feature = "files")]
mod ftp;
#[cfg(feature = "databases")]
mod hostile;
#[cfg(feature = "databases")]
mod mysql;
#[cfg(feature = "databases")]
mod postgres;
#[cfg(feature = "databases")]
mod redis;
#[cfg(feature = "files")]
mod s3;
mod services;
#[cfg(feature = "databases")]
mod sqlite;
#[cfg(feature = "ssh")]
mod ssh;
#[cfg(all(feature = "databases", feature = "ssh"))]
mod tunnel;

use serde_json::Value;
use timeloom_connectors::{Settings, node_types};
use timeloom_engine::node::{NodeError, NodeOutput, SharedNodeType};
use timeloom_nodes::testing::{Bench, json_of};

/// A node type of these settings.
fn node_with(name: &str, settings: &Settings) -> SharedNodeType {
    node_types(settings).into_iter().find(|node_type| node_type.definition().node_type == name).unwrap()
}

/// A node type by itself.
fn node(name: &str) -> SharedNodeType {
    node_with(name, &Settings::default())
}

/// The JSON of what a node gives.
async fn json_given(bench: &mut Bench<'_>) -> Value {
    json_of(&given(bench).await, 0)
}

async fn given(bench: &mut Bench<'_>) -> NodeOutput {
    match bench.run_effect().await {
        Ok(output) => output,
        Err(error) => panic!("{error}: {:?} {:?}", error.description, error.data),
    }
}

/// Why a node fails.
async fn failure(bench: &mut Bench<'_>) -> NodeError {
    bench.run_effect().await.unwrap_err()
}
